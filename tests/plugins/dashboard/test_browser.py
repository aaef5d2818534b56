"""What people do on the dashboard, done in a real browser."""

from __future__ import annotations

import pytest

from remit.errors import RemitError
from remit.plugins.dashboard.pages import PAGES
from tests.plugins.http.conftest import OWNER

ASK = (
    '@id("site.ask") @why("ask first") @decision("ask")\n'
    'permit (principal == Remit::Unit::"acme/sneaky", action == Remit::Action::"net:http", resource)\n'
    "when { context.lease.approved };\n"
)
UPDATES = ("net:http", "https://updates.example.com")

pytestmark = pytest.mark.slow


def ask_first(kernel):
    """Have policy ask a person before sneaky may look for updates, and ask."""
    files = {"policy/site.cedar": ASK}
    kernel.policy_shadow(files)
    kernel.policy_publish(files)
    assert kernel.request("acme/sneaky", *UPDATES)["state"] == "pending"


def test_a_unit_is_planned_applied_with_consent_and_reverted(page, shown, shots):
    kernel, _ = shown
    page.goto("/ui/units")
    page.get_by_label("Add or upgrade").fill("acme/sneaky")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("heading", name="Widens").wait_for()
    shots(page, "plan")
    page.get_by_role("button", name="Apply").click()  # the browser insists on the consent
    assert kernel.home().generation == 1
    page.get_by_label("I consent to what it widens").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Do it").click()
    page.wait_for_load_state()
    page.get_by_role("row", name="acme/sneaky 1.0.0").get_by_text("active").wait_for()
    assert kernel.home().generation == 2
    page.get_by_role("button", name="Plan a revert to 1").click()
    page.get_by_text("remove acme/sneaky").wait_for()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Do it").click()
    page.get_by_role("link", name="3", exact=True).wait_for()
    assert "acme/sneaky" not in {one.ref.id for one in kernel.units() if one.active}


def test_a_lease_is_revoked_after_a_question_and_a_denial_tells_its_reason(page, shown, shots):
    kernel, _ = shown
    kernel.apply(kernel.plan(add=["acme/sneaky"]), consent=True)
    kernel.call("acme/sneaky:probe")
    page.goto("/ui/leases")
    denial = page.get_by_role("listitem").filter(has_text="collector.example.net")
    denial.get_by_role("button", name="Why").click()
    page.get_by_text("guard.undeclared").last.wait_for()
    shots(page, "why")
    row = page.get_by_role("row").filter(has_text="acme/counter")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Keep it").click()
    assert {one.state for one in kernel.leases()} == {"standing"}
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Do it").click()
    page.get_by_role("row").filter(has_text="acme/counter").get_by_text("revoked").wait_for()


def test_events_come_live_and_a_pause_holds_them(page, shown, shots):
    kernel, _ = shown
    page.goto("/ui/events")
    page.get_by_text("live", exact=True).wait_for()
    kernel.emit("first.topic", 1)
    page.get_by_role("cell", name="first.topic").wait_for()
    page.get_by_role("button", name="Pause").click()
    kernel.emit("second.topic", 1)
    page.get_by_text("1 more").wait_for()
    assert page.get_by_role("cell", name="second.topic").count() == 0
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("cell", name="second.topic").wait_for()
    shots(page, "events")


def test_an_action_is_called_and_its_trace_opened_and_played(page, shots):
    page.goto("/ui/actions")
    card = page.locator("section").filter(has_text="acme/counter:increment")
    card.get_by_label("Input (JSON)").fill("1")
    card.get_by_role("button", name="Call").click()
    card.get_by_role("link", name="trace").click()
    page.get_by_role("heading", name="Timeline").wait_for()
    page.get_by_role("button", name="One record on").click()
    page.locator(".step:not([hidden])").filter(has_text="counter.changed").wait_for()
    page.get_by_label("Read model").select_option("actions")
    page.locator("#step-state").filter(has_text="acme/counter:increment").wait_for()
    shots(page, "episode")


def test_the_palette_goes_anywhere_by_keyboard(page):
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("topo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/topology")
    page.get_by_text("acme/counter emits counter.changed").wait_for()


def test_a_person_signs_in_and_out(browser, shown):
    page = browser.new_context(base_url=shown[1]).new_page()
    page.goto("/ui/units")
    page.get_by_label("Token").fill("remit_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Token").fill(OWNER)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    page.goto("/")
    assert page.url.endswith("/login")


def test_the_link_that_the_service_prints_signs_in(browser, shown):
    page = browser.new_context(base_url=shown[1]).new_page()
    page.goto(f"/login#{OWNER}")
    page.get_by_role("heading", name="Overview").wait_for()
    assert "#" not in page.url


def test_somebody_elses_link_does_not_change_who_is_signed_in(page):
    page.goto("/login#remit_another")
    page.get_by_text("You are signed in already").wait_for()
    page.goto("/")
    page.get_by_role("heading", name="Overview").wait_for()


@pytest.fixture
def eventful(shown):
    """A home in which something of everything happened: so that every page has something to show."""
    kernel, _ = shown
    kernel.apply(kernel.plan(add=["acme/sneaky"]), consent=True)
    kernel.call("acme/sneaky:probe")
    with pytest.raises(RemitError):
        kernel.call("acme/loop:spin")
    jobs = kernel.jobs("mailer", "mail.wanted")
    kernel.emit("mail.wanted", {"to": "nobody"})
    jobs.take()[0].bury("there is no such address")
    return shown


PATHS = [
    one.path.format(publisher="acme", name="counter" if "units" in one.path else "assistant", number=2, id="last")
    for one in PAGES
    if not one.path.startswith("/ui/part/")
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_has_a_serious_barrier_or_scrolls_sideways(browser, eventful, scheme, width, shots):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only here

    context = browser.new_context(base_url=eventful[1], viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.add_cookies([{"name": "remit_token", "value": OWNER, "url": eventful[1]}])
    page = context.new_page()
    faults = {}
    for path in PATHS:
        answer = page.goto(path)
        page.wait_for_load_state("networkidle") if path != "/ui/events" else page.get_by_text(
            "live", exact=True
        ).wait_for()
        found = Axe().run(page).response["violations"]
        serious = [one["id"] for one in found if one["impact"] in {"serious", "critical"}]
        if serious or page.evaluate("document.documentElement.scrollWidth") > width or answer.status >= 400:
            faults[path] = serious or answer.status
        shots(page, f"{scheme}-{width}-{path.replace('/', '-')}")
    context.close()
    assert faults == {}


def test_dead_letters_and_the_egress_ledger_tell_what_happened(page, eventful):
    kernel, _ = eventful
    page.goto("/ui/dead-letters")
    page.get_by_text("there is no such address").wait_for()
    page.get_by_role("button", name="Deliver again").click()
    page.get_by_role("button", name="Do it").click()
    page.get_by_text("Everything was delivered.").wait_for()
    assert kernel.dead_letters() == []
    page.goto("/ui/egress")
    page.get_by_text("collector.example.net").first.wait_for()
    page.goto("/ui/health")
    page.get_by_text("acme/loop").first.wait_for()


def test_an_operators_day(page, shown, shots):
    """Plan, apply with consent, see a denial's reason, approve a question, follow events, open a trace, revert."""
    kernel, _ = shown
    page.goto("/ui/units")
    page.get_by_label("Add or upgrade").fill("acme/sneaky")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_label("I consent to what it widens").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Do it").click()
    page.get_by_role("row", name="acme/sneaky 1.0.0").get_by_text("active").wait_for()

    kernel.call("acme/sneaky:probe")
    page.goto("/ui/leases")
    page.get_by_role("listitem").filter(has_text="collector.example.net").get_by_role("button", name="Why").click()
    page.get_by_text("guard.undeclared").last.wait_for()

    ask_first(kernel)
    page.reload()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("given", exact=True).first.wait_for()
    assert kernel.why("acme/sneaky", *UPDATES)["outcome"] == "allow"
    shots(page, "approved")

    page.goto("/ui/events")
    page.get_by_text("live", exact=True).wait_for()
    kernel.emit("day.begun", 1)
    page.get_by_role("cell", name="day.begun").wait_for()

    page.goto("/ui/actions")
    card = page.locator("section").filter(has_text="acme/counter:increment")
    card.get_by_label("Input (JSON)").fill("1")
    card.get_by_role("button", name="Call").click()
    card.get_by_role("link", name="trace").click()
    page.get_by_role("heading", name="Timeline").wait_for()
    page.get_by_role("heading", name="Calls").wait_for()

    page.goto("/ui/units")
    page.get_by_role("button", name="Plan a revert to 1").click()
    page.get_by_text("remove acme/sneaky").wait_for()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Do it").click()
    page.get_by_role("link", name="3", exact=True).wait_for()
    assert "acme/sneaky" not in {one.ref.id for one in kernel.units() if one.active}
