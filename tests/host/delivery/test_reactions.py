"""Units react to events: in the sandbox, under their leases, at least once, and their faults stay their own."""

from __future__ import annotations

import shutil
import threading

import pytest

from remit.errors import SubscriptionUnknown, UsageError
from remit.host import Kernel, build_unit, verify_journal
from remit.host.delivery import queue, reacting
from remit.kernel.model import Caller
from remit.units import Terms

JOBS = "acme/react:job.made"


@pytest.fixture
def kernel(react_home):
    with Kernel.open(react_home, serve=False) as kernel:
        yield kernel


@pytest.fixture
def impatient(monkeypatch):
    """Retries come at once."""
    monkeypatch.setattr(queue, "_FIRST_MS", 1)
    monkeypatch.setattr(reacting.Breaker, "failed", lambda _self, _now: False)


def until(kernel, what, seconds=30):
    """Wait until ``what()`` is truthy, and give it."""
    pause = threading.Event()
    for _ in range(seconds * 100):
        if found := what():
            return found
        pause.wait(0.01)
    raise AssertionError(kernel.subscriptions())


def of(kernel, kind, **facts):
    return [
        one for one in kernel.events(prefixes=[kind], limit=10_000)
        if all(one["event"]["data"].get(name) == value for name, value in facts.items())
    ]  # fmt: skip


def status(kernel, name=JOBS):
    return next(one for one in kernel.subscriptions() if one["name"] == name)


def test_a_reaction_runs_and_is_settled_in_the_transaction_of_its_effects(kernel):
    said = kernel.emit("job.made", "hello", caller=Caller(correlation="episode-1", traceparent=""))
    until(kernel, lambda: status(kernel)["delivered"] == 1)
    records = kernel.events(said["seq"])
    assert [one["event"]["type"] for one in records] == ["action.completed", "react.heard", "bus.settled"]
    outcome, heard, settled = (one["event"] for one in records)
    assert heard["data"] == "hello"
    assert heard["source"].startswith(f"//{kernel.home().id}/unit/acme/react@sha256:")
    assert {one["correlationid"] for one in (outcome, heard, settled)} == {"episode-1"}
    assert outcome["causationid"] == said["event"]["id"]
    assert heard["causationid"] == settled["causationid"] == outcome["id"]
    assert outcome["data"]["principal"] == "kernel"
    assert settled["data"] == {
        "subscription": JOBS, "position": said["seq"], "settled": [{"seq": said["seq"], "outcome": "done"}]
    }  # fmt: skip
    rows = kernel._rooms.journal.execute("SELECT key, value FROM unit_state WHERE unit = 'acme/react'")
    assert rows == [(said["event"]["id"], '"hello"')]


@pytest.mark.usefixtures("impatient")
def test_a_unit_that_fails_is_tried_again_and_then_the_event_is_a_dead_letter(kernel):
    seqs = {word: kernel.emit("job.made", word)["seq"] for word in ("trap", "fail", "again", "once", "reject", "x1")}
    until(kernel, lambda: status(kernel)["dead"] == 4 and status(kernel)["delivered"] == 2)
    letters = {one["seq"]: one for one in kernel.dead_letters(JOBS)}
    assert {word: letters[seqs[word]]["code"] for word in ("trap", "fail", "again", "reject")} == {
        "trap": "RM-5010", "fail": "RM-7005", "again": "RM-7006", "reject": "RM-7004",
    }  # fmt: skip
    assert {word: letters[seqs[word]]["attempts"] for word in ("trap", "fail", "again", "reject")} == {
        "trap": 3, "fail": 3, "again": 3, "reject": 1,
    }  # fmt: skip
    assert [one["event"]["data"] for one in kernel.events(prefixes=["react."])].count("once") == 1


def test_retry_after_is_honoured(kernel):
    kernel.emit("job.made", "again")
    [settled] = until(kernel, lambda: of(kernel, "bus.settled"))[:1]
    [failed] = of(kernel, "action.failed")[:1]
    waits = settled["event"]["data"]["settled"][0]["due_ms"] - failed["event"]["data"]["at_ms"]
    assert 0 <= waits - 50 < 1_000  # the unit said 50 ms; on its own it would be a second and more


@pytest.mark.usefixtures("impatient")
def test_dead_letters_can_be_replayed(kernel):
    seq = kernel.emit("job.made", "trap")["seq"]
    until(kernel, lambda: status(kernel)["dead"])
    failures = len(of(kernel, "action.failed"))
    assert kernel.replay(JOBS, [seq]) == 1
    until(kernel, lambda: len(of(kernel, "action.failed")) == failures + 3)
    until(kernel, lambda: status(kernel)["dead"])


def test_a_unit_that_keeps_failing_is_left_in_peace_and_comes_back_with_a_probe(kernel, monkeypatch):
    for _ in range(5):
        kernel.emit("job.made", "trap")
    [paused] = until(kernel, lambda: of(kernel, "bus.paused"))
    data = paused["event"]["data"]
    assert (data["unit"], data["faults"], data["code"]) == ("acme/react", 5, "RM-5010")
    monkeypatch.setattr(queue, "_FIRST_MS", 60_000)
    kernel.emit("job.made", "x1", priority=9)
    assert status(kernel)["delivered"] == 0
    until(kernel, lambda: status(kernel)["delivered"] == 1)
    until(kernel, lambda: of(kernel, "bus.resumed"))


def test_events_that_cause_events_end_when_their_hops_do(kernel):
    kernel.emit("loop.turned")
    until(kernel, lambda: status(kernel, "acme/react:loop.turned")["dead"])
    turns = kernel.events(prefixes=["loop.turned"])
    assert [one["event"].get("hops", 8) for one in turns] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [one["code"] for one in kernel.dead_letters()] == ["RM-7008"]
    assert len({one["event"].get("correlationid", turns[0]["event"]["id"]) for one in turns}) == 1


def test_a_unit_answers_whoever_asked(kernel):
    answer = kernel.ask("job.made", "hello", timeout_ms=30_000)["event"]
    assert (answer["data"], answer["hops"]) == ("hello", 7)
    assert answer["source"].startswith(f"//{kernel.home().id}/unit/acme/react@sha256:")
    [asked] = kernel.events(prefixes=["job.made"])
    assert answer["correlationid"] == asked["event"]["id"]


def test_a_live_reaction_hears_but_is_never_repeated(kernel):
    kernel.emit("live.seen", "trap")
    kernel.emit("live.seen", "x1")
    until(kernel, lambda: of(kernel, "action.completed", action="acme/react:on.live.seen"))
    assert len(of(kernel, "action.failed", action="acme/react:on.live.seen")) == 1
    with pytest.raises(SubscriptionUnknown):
        kernel.dead_letters("acme/react:live.seen")


def test_a_reaction_begins_where_its_generation_does_and_keeps_its_place_across_starts(home, unit):
    with Kernel.open(home) as kernel:
        kernel.emit("job.made", "before")
        kernel.apply(kernel.plan(add=[kernel.install(str(unit("react")), allow_unsigned=True)]), consent=True)
        kernel.emit("job.made", "x1")
        until(kernel, lambda: status(kernel)["delivered"] == 1)
    with Kernel.open(home, serve=False) as kernel:
        kernel.emit("job.made", "x2")
        until(kernel, lambda: status(kernel)["delivered"] == 2)
        assert [one["event"]["data"] for one in kernel.events(prefixes=["react.heard"])] == ["x1", "x2"]
        kernel.apply(kernel.plan(remove=["acme/react"]), consent=True)
        assert kernel.subscriptions() == []
        kernel.emit("job.made", "nobody hears")
    with Kernel.open(home, serve=False) as kernel:
        assert len(kernel.events(prefixes=["react.heard"])) == 2


def test_what_waited_while_no_kernel_ran_is_delivered_at_the_start(react_home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(reacting.Reactions, "start", lambda _self: None)
        with Kernel.open(react_home, serve=False) as kernel:
            for number in range(5):
                kernel.emit("job.made", number)
            assert status(kernel)["delivered"] == 0
    with Kernel.open(react_home, serve=False) as kernel:
        until(kernel, lambda: status(kernel)["delivered"] == 5)
    verify_journal(react_home)


def test_a_revoked_subscription_hears_nothing_and_its_events_are_dead_letters(kernel):
    [grant] = [one for one in kernel.leases() if one.resource == "job.made"]
    kernel.revoke(grant.id)
    kernel.emit("job.made", "secret")
    until(kernel, lambda: status(kernel)["dead"])
    [letter] = kernel.dead_letters()
    assert letter["code"].startswith("RM-40")
    assert of(kernel, "lease.denied")
    assert kernel.events(prefixes=["react.heard"]) == []


def test_policy_decides_whether_a_unit_may_hear(home, unit):
    (home / "policy" / "deaf.cedar").write_text(
        '@id("deaf")\n@why("nobody hears of jobs")\nforbid (principal is Remit::Unit, '
        'action == Remit::Action::"events:subscribe", resource in Remit::Topic::"job");\n'
    )
    with Kernel.open(home, serve=False) as kernel:
        plan = kernel.plan(add=[kernel.install(str(unit("react")), allow_unsigned=True)])
        [answer] = [one for one in plan.capabilities if one.resource == "job.made"]
        assert (answer.action, answer.status) == ("events:subscribe", "denied")
        assert plan.blocking


def test_a_stuck_handler_delays_no_other_unit_and_not_the_kernels_end(kernel):
    kernel.emit("job.made", "loops for ever")
    seq = kernel.emit("a.b")["seq"]
    assert seq
    [failed] = until(kernel, lambda: of(kernel, "action.failed", code="RM-5011"))
    assert failed["event"]["data"]["duration_us"] >= 900_000


def test_closing_lets_a_running_reaction_be_delivered_again(react_home, monkeypatch):
    monkeypatch.setattr(reacting, "_GRACE_TURNS", 1)
    with Kernel.open(react_home, serve=False) as kernel:
        kernel.emit("job.made", "loops for ever")
        until(kernel, lambda: status(kernel)["running"])
    with Kernel.open(react_home, serve=False) as kernel:
        assert status(kernel)["dead"] == status(kernel)["retried"] == 0
        until(kernel, lambda: status(kernel)["retried"] == 1)


def test_nobody_else_takes_a_units_deliveries(kernel):
    jobs = kernel.perform
    for operation, arguments in (
        ("take", {"name": JOBS, "most": 1, "lease_ms": 1_000, "wait_ms": 0}),
        ("close_jobs", {"name": JOBS}),
    ):
        with pytest.raises(UsageError):
            jobs(operation, arguments, object, caller=Caller(), progress=lambda _s, _d: None)


def test_an_upgrade_keeps_the_place_and_new_code_takes_over(kernel, unit, tmp_path):
    folder = shutil.copytree(unit("react"), tmp_path / "react2")
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('"1.0.0"', '"1.1.0"').replace("attempts = 3", "attempts = 1"))
    build_unit(folder)
    kernel.emit("job.made", "x1")
    until(kernel, lambda: status(kernel)["delivered"] == 1)
    before = status(kernel)["position"]
    kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
    assert status(kernel)["position"] == before
    kernel.emit("job.made", "trap")
    until(kernel, lambda: status(kernel)["dead"])
    [letter] = kernel.dead_letters()
    assert letter["attempts"] == 1


def test_an_event_is_handled_by_the_arm_that_its_episode_is_on(kernel, unit, tmp_path):
    folder = shutil.copytree(unit("react"), tmp_path / "following")
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    following = kernel.install(str(folder), allow_unsigned=True)
    kernel.apply(kernel.plan(trial=[following], terms=Terms(episode="lab-")), consent=True)
    for episode, arm in (("lab-1", "trial"), ("1", "base")):
        kernel.emit("job.made", "hello", caller=Caller(correlation=episode))
        [found] = until(kernel, lambda arm=arm: of(kernel, "action.completed", arm=arm))
        assert found["event"]["correlationid"] == episode
        assert (found["event"]["data"]["digest"] == following.ref.digest) is (arm == "trial")
    rows = kernel._rooms.journal.execute("SELECT branch, value FROM unit_state WHERE namespace != '' ORDER BY seq")
    assert rows == [("acme/react#2", '"hello"'), ("", '"hello"')]
