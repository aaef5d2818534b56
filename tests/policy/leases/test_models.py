from __future__ import annotations

from types import SimpleNamespace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.journal import inline
from remit.journal.event import Draft, Event, Record
from remit.journal.fold import Folds
from remit.journal.log import Journal
from remit.journal.ports import SystemIds
from remit.kernel.model import Budget
from remit.policy.leases.budgets import Account, Usage
from remit.policy.leases.models import Budgets, Leases

NAMES = st.sampled_from(["id", "unit", "charges", "at_ms", "policies", "capability", "tries", "grants"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
KINDS = [
    "unit.applied",
    "grant.given",
    "grant.revoked",
    "lease.denied",
    "lease.exhausted",
    "action.completed",
    "action.failed",
    "grant.odd",
]


def folded(world):
    return world.journal.state("leases")


def test_a_grant_is_shown_with_state_and_usage(world, budget):
    grant = world.grant(world.unit(), "events:emit", "text", budget=budget)
    world.journal.give(grant)
    world.journal.complete({grant.id: (2, 30)})
    world.journal.complete({grant.id: (1, 0)}, "action.failed")
    world.journal.say("grant.revoked", {"id": grant.id, "reason": "spam", "by": "local"})
    (shown,) = Leases().view(folded(world))["grants"]
    start = world.clock.wall - world.clock.wall % 60_000
    assert shown["usage"] == {
        "start_ms": start, "calls": 3, "bytes": 30, "host_us": 0, "fuel": 0, "end_ms": start + 60_000
    }  # fmt: skip
    assert (shown["state"], shown["revoked"]) == ("revoked", {"reason": "spam", "by": "local"})


def test_a_grant_stands_while_its_generation_does(world):
    unit = world.unit()
    kept, dropped = world.grant(unit, "events:emit", "a"), world.grant(unit, "events:emit", "b")
    for grant in (kept, dropped):
        world.journal.give(grant)
    states = []
    for grants in ((), (kept, dropped), (kept,)):
        world.journal.apply(*grants)
        states.append([one["state"] for one in Leases().view(folded(world))["grants"]])
    assert states == [["ended", "ended"], ["standing", "standing"], ["standing", "ended"]]


def test_a_delegated_grant_stands_with_its_parent_and_its_unit(world, budget):
    parent, child = world.unit(), world.unit("zeta/child")
    grant = world.grant(parent, "events:emit", "a", budget=budget)
    part = msgspec.structs.replace(grant, id="part", unit=child, parent=grant.id)
    loop = msgspec.structs.replace(grant, id="loop", parent="loop")
    world.journal.give(grant)
    for one in (part, loop):
        world.journal.say("grant.delegated", msgspec.to_builtins(one))

    def applied(grants, units):
        refs = [{"ref": msgspec.to_builtins(unit)} for unit in units]
        world.journal.say("unit.applied", {"grants": grants, "generation": {"units": refs}})
        book = folded(world)
        states = {one["id"]: one["state"] for one in Leases().view(book)["grants"]}
        assert [one["grant"] for one in Budgets().view(book)] == [name for name in states if states[name] == "standing"]
        return states["part"]

    assert applied([grant.id], [parent, child]) == "standing"
    assert applied([grant.id], [parent]) == "ended"
    assert applied([], [parent, child]) == "ended"
    world.journal.say("grant.revoked", {"id": grant.id})
    assert applied([grant.id], [parent, child]) == "revoked"


def test_on_a_real_journal_usage_and_revocation_survive_a_restart(world, tmp_path, budget):
    unit = world.unit()
    spent, ended = world.grant(unit, "events:emit", "text", budget=budget), world.grant(unit, "events:emit", "note")
    journal = Journal(tmp_path, world.clock, SystemIds(world.clock))
    drafts = [Draft(type="unit.applied", data={"grants": [spent.id, ended.id]})]
    drafts += [Draft(type="grant.given", data=msgspec.to_builtins(grant)) for grant in (spent, ended)]
    drafts += [Draft(type="grant.revoked", data={"id": ended.id, "reason": "x" * 10_000, "by": "local"})]
    drafts += [Draft(type="action.completed", data={"charges": {spent.id: [2, 90]}, "at_ms": world.clock.wall})]
    journal.append(drafts)
    Folds(journal, [Leases()]).save()
    journal.close()

    journal = Journal(tmp_path, world.clock, SystemIds(world.clock))
    world.journal = SimpleNamespace(state=Folds(journal, [Leases()]).state, append=journal.append)
    authority = world.authority()
    authority.activate([unit], [spent, ended])
    assert [(one.state, one.calls_left, one.bytes_left) for one in authority.grants()] == [
        ("standing", 1, 10),
        ("revoked", None, None),
    ]
    journal.close()


def test_only_the_kernel_moves_the_model(world, budget):
    grant = world.grant(world.unit(), "events:emit", "text", budget=budget)
    world.journal.give(grant)
    before = folded(world)
    for source in ("//home/unit/acme/tool@sha256:x", "//home/client/kernel", "https://evil/kernel", ""):
        world.journal.say("grant.revoked", {"id": grant.id}, source)
        world.journal.say("lease.denied", {"unit": "acme/tool"}, source)
        world.journal.say("action.completed", {"charges": {grant.id: [1, 1]}, "at_ms": 1}, source)
    assert folded(world) == before


def test_denials_are_grouped_by_cause_and_counted_by_tries(world):
    denial = {"unit": "a/b", "action": "net:http", "resource": "https://x.org", "code": "RM-4004", "reason": "no"}
    world.journal.say("lease.denied", denial | {"policies": ["guard.undeclared"], "tries": 4})
    world.journal.say("lease.denied", denial | {"resource": "https://y.org"})
    world.clock.advance(5_000)
    world.journal.say("lease.denied", denial)
    shown = Leases().view(folded(world))["denials"]
    assert [(one["resource"], one["count"]) for one in shown] == [("https://x.org", 5), ("https://y.org", 1)]
    assert shown[0]["first"] < shown[0]["last"]


def test_denials_are_bounded_and_the_oldest_make_room(world, monkeypatch):
    monkeypatch.setattr("remit.policy.leases.models._MAX_DENIALS", 10)
    for count in range(30):
        world.journal.say("lease.denied", {"unit": "a/b", "action": "x", "resource": f"r{count}", "code": "RM-4004"})
    shown = Leases().view(folded(world))["denials"]
    assert [one["resource"] for one in shown] == [f"r{count}" for count in range(29, 19, -1)]


@given(st.lists(st.tuples(st.sampled_from(KINDS), JSON), max_size=12))
def test_whatever_records_hold_the_fold_goes_on(records):
    fold = Leases()
    state = fold.init()
    for seq, (kind, data) in enumerate(records, 1):
        event = Event(
            specversion="1.0", id=str(seq), source="//h/kernel", type=kind, time="2026-01-01T00:00:00.000Z", data=data
        )
        before = fold.snapshot(state)
        after = fold.apply(state, [Record(seq, 1, "main", b"", b"", event)], inline)
        assert fold.snapshot(state) == before  # others may be reading the old state
        state = after
    assert fold.restore(fold.snapshot(state)) == state
    fold.view(state)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 5), st.integers(0, 50)), max_size=40))
def test_no_window_ever_holds_more_than_its_budget(charges):
    account = Account(Budget(100, calls=7, bytes=90), Usage())
    latest, spent = 0, {}
    for now, calls, nbytes in charges:
        latest = max(latest, now // 100)
        if account.charge(now, calls, nbytes):
            had = spent.get(latest, (0, 0))
            spent[latest] = had[0] + calls, had[1] + nbytes
        assert account.left(now)[:2] == (7 - spent.get(latest, (0, 0))[0], 90 - spent.get(latest, (0, 0))[1])
    assert all(calls <= 7 and nbytes <= 90 for calls, nbytes in spent.values())


@given(*[st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9))] * 2)
def test_merging_accounts_never_forgets_a_use(one, other):
    first, second = Usage(*one), Usage(*other)
    merged = first.merged(second)
    assert merged == second.merged(first)
    for usage in (first, second):
        assert merged.start_ms > usage.start_ms or (merged.calls >= usage.calls and merged.bytes >= usage.bytes)
