"""What a change may let a unit do: policy's answers, what widens, whose consent it needs, and what was revoked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.errors import ConsentNeeded, Denied
from remit.host import Kernel
from remit.kernel.model import Caller

EMIT = 'action = "events:emit"\nresource = "ticket.created"\nreason = "tell"'
HTTP = 'action = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "look up"'
WIDER_HTTP = HTTP.replace('["GET"]', '["GET", "POST"]')
BUDGET = EMIT + '\nbudget = { window = "1h", calls = 10 }'
TIMED = EMIT + '\nbudget = { window = "1h", calls = 10, host_time = "5s" }'
LONGER = EMIT + '\nbudget = { window = "1h", calls = 10, host_time = "6s" }'
LARGER = EMIT + '\nbudget = { window = "1h", calls = 20 }'
SECRET_DIR = 'action = "fs:read"\nresource = "/etc"\nreason = "read"'

Install = Callable[[Path], str]


# ---- capabilities, widening and consent ----


def test_policys_answer_stands_beside_each_capability(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT, HTTP, SECRET_DIR + "\noptional = true"))
    plan = kernel.plan(add=["acme/tool"])
    assert [(a.action, a.status, a.decision.outcome) for a in plan.capabilities] == [
        ("events:emit", "granted", "allow"),
        ("net:http", "consent", "ask"),
        ("fs:read", "denied", "deny"),
    ]
    assert plan.capabilities[2].decision.policies == ("guard.secret-dirs",)


def test_a_denied_capability_that_is_needed_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", SECRET_DIR))
    plan = kernel.plan(add=["acme/tool"])
    assert [(f.id, f.severity) for f in plan.findings] == [("capability.denied", "blocking")]


def test_widening_without_consent_is_refused_naming_it(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    with pytest.raises(ConsentNeeded, match=r"events:emit on ticket\.created") as refused:
        kernel.apply(kernel.plan(add=["acme/tool"]))
    assert refused.value.details["widening"] == ["acme/tool: events:emit on ticket.created"]
    assert kernel.home().generation == 0


def test_a_change_that_widens_nothing_needs_no_consent(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    assert kernel.apply(kernel.plan(add=["acme/tone"])).number == 1


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"capabilities": (EMIT,)}, {"capabilities": (EMIT, HTTP)}, "capability"),
        ({"capabilities": (HTTP,)}, {"capabilities": (WIDER_HTTP,)}, "capability"),
        ({"capabilities": (BUDGET,)}, {"capabilities": (LARGER,)}, "budget"),
        ({"capabilities": (BUDGET,)}, {"capabilities": (EMIT,)}, "budget"),
        ({"capabilities": (TIMED,)}, {"capabilities": (LONGER,)}, "budget"),
        ({"capabilities": (TIMED,)}, {"capabilities": (BUDGET,)}, "budget"),
        ({"memory": "8MiB"}, {"memory": "16MiB"}, "limits"),
        ({"deadline": "250ms"}, {"deadline": "1s"}, "limits"),
        ({}, {"runtime": 'stack = "1MiB"'}, "limits"),
        ({"runtime": 'output = "1MiB"'}, {}, "limits"),
        ({"runtime": "host_calls = 10"}, {"runtime": "host_calls = 11"}, "limits"),
    ],
)
def test_an_upgrade_that_may_do_more_widens(kernel: Kernel, author, install: Install, old, new, kind: str) -> None:
    install(author.tool("acme/tool", *old.pop("capabilities", ()), **old))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", *new.pop("capabilities", ()), version="1.1.0", **new))
    assert [item.kind for item in kernel.plan(add=["acme/tool"]).widening] == [kind]


def test_an_upgrade_that_may_do_less_widens_nothing(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", LARGER, memory="16MiB"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", BUDGET, version="1.1.0", memory="8MiB"))
    assert not kernel.plan(add=["acme/tool"]).needs_consent


def test_consent_to_what_policy_asks_does_not_pass_to_an_upgrade(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", HTTP, version="1.1.0"))
    plan = kernel.plan(add=["acme/tool"])
    assert [answer.status for answer in plan.capabilities] == ["consent"]


def test_a_standing_grant_is_kept_with_its_id(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    install(author.config("acme/tone", "{ a = 1 }"))
    first = kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    second = kernel.apply(kernel.plan(add=["acme/tone"]))
    assert second.grants == first.grants


def test_a_revoked_grant_is_not_revived_by_another_change(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    assert kernel.apply(kernel.plan(add=["acme/tone"])).grants == ()


def test_a_revoked_grant_is_not_revived_by_going_back(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    kernel.apply(kernel.plan(remove=["acme/tool"]))
    kernel.close()
    with Kernel.open(home, serve=False) as again:
        assert again.revert("1", consent=True).grants == ()


def test_a_revoked_grant_is_given_anew_only_by_name_and_with_consent(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    [revoked] = kernel.revoke(unit="acme/tool")
    plan = kernel.plan(add=["acme/tool"])
    assert plan.needs_consent
    [anew] = kernel.apply(plan, consent=True).grants
    assert anew.id != revoked.id


# ---- what a unit held, not what it declared ----


def test_an_upgrade_does_not_revive_a_revoked_grant_in_silence(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    install(author.tool("acme/tool", EMIT, version="1.0.1"))
    with pytest.raises(ConsentNeeded, match="which was revoked"):
        kernel.apply(kernel.plan(add=["acme/tool"]))


def test_a_capability_that_policy_denied_widens_when_it_is_given(kernel: Kernel, home: Path, author) -> None:
    rule = home / "policy" / "quiet.cedar"
    rule.write_text('@id("quiet")\nforbid (principal, action == Remit::Action::"events:emit", resource);\n')
    kernel.close()
    install_optional = author.tool("acme/tool", EMIT + "\noptional = true")
    with Kernel.open(home, serve=False) as strict:
        strict.install(str(install_optional), allow_unsigned=True)
        assert strict.apply(strict.plan(add=["acme/tool"])).grants == ()
    rule.unlink()
    with Kernel.open(home, serve=False) as relaxed:
        assert [item.kind for item in relaxed.plan().widening] == ["capability"]


def test_more_fuel_widens(kernel: Kernel, author, install: Install) -> None:
    for version, fuel in (("1.0.0", 100_000), ("1.1.0", 10**12)):
        folder = author.tool("acme/tool", version=version)
        manifest = folder / "unit.toml"
        manifest.write_text(manifest.read_text().replace('deadline = "10s"', f'deadline = "10s"\nfuel = {fuel}'))
        install(folder)
    kernel.apply(kernel.plan(add=["acme/tool@=1.0.0"]))
    assert [item.kind for item in kernel.plan(add=["acme/tool@=1.1.0"]).widening] == ["limits"]


def test_a_revoked_capability_that_is_needed_does_not_block_what_others_do(
    kernel: Kernel, author, install: Install
) -> None:
    install(author.tool("acme/tool", EMIT))
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    plan = kernel.plan(add=["acme/tone"])
    assert [(f.id, f.severity) for f in plan.findings] == [("capability.revoked", "warning")]


ASKS_SECURITY = """@id("site.http") @why("the network") @decision("ask") @approvers("security")
permit (principal is Remit::Unit, action == Remit::Action::"net:http", resource) when { context.lease.approved };
"""
OPERATORS = """
[operator.sam]
roles = ["owner", "security"]
"""


def test_a_consent_at_apply_is_given_by_those_whom_the_policy_names(home: Path, author) -> None:
    (home / "remit.toml").write_text((home / "remit.toml").read_text() + OPERATORS)
    (home / "policy" / "site.cedar").write_text(ASKS_SECURITY)
    sam = Caller(principal="sam")
    with Kernel.open(home, serve=False) as kernel:
        kernel.install(str(author.tool("acme/tool", HTTP)), allow_unsigned=True)
        kernel.install(str(author.tool("acme/other", EMIT)), allow_unsigned=True)
        plan = kernel.plan(add=["acme/tool"])
        with pytest.raises(Denied) as refused:
            kernel.apply(plan, consent=True)
        assert refused.value.details["policies"] == ["guard.approvers"]
        assert kernel.home().generation == 0
        kernel.apply(plan, consent=True, caller=sam)
        # Neither is a part delegated past them, nor a question answered.
        kernel.apply(kernel.plan(add=["acme/other"]), consent=True)
        [grant] = [one.id for one in kernel.leases() if one.action == "net:http"]
        part = {"resource": "https://api.example.com", "methods": ("GET",)}
        with pytest.raises(Denied):
            kernel.delegate(grant, "acme/other", **part)
        assert kernel.delegate(grant, "acme/other", **part, caller=sam)["consent"] == "sam"
