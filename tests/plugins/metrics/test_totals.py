"""The fold behind the metrics: monotonic, bounded, and a function of what the kernel said."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.plugins.metrics.totals import MOST, OTHER, totals
from tests.host.models.test_models import RECORDS, made

KERNEL = "//home/kernel"


def flattened(value, path=()):
    if isinstance(value, dict):
        return {key: one for name, inner in value.items() for key, one in flattened(inner, (*path, name)).items()}
    if isinstance(value, list):
        return {key: one for place, inner in enumerate(value) for key, one in flattened(inner, (*path, place)).items()}
    return {path: value} if isinstance(value, int) else {}


@given(records=RECORDS, cut=st.integers(0, 30))
def test_a_total_never_falls_whatever_is_said(records, cut):
    fold = totals()
    early = fold.apply(fold.init(), records[:cut], lambda record: record.event.data)
    late = fold.apply(early, records[cut:], lambda record: record.event.data)
    before, after = flattened(fold.view(early)), flattened(fold.view(late))
    assert all(after[key] >= value for key, value in before.items())


@given(records=RECORDS, cut=st.integers(0, 30))
def test_a_snapshot_goes_on_as_the_state_it_was_made_of(records, cut):
    fold = totals()
    whole = fold.apply(fold.init(), records, lambda record: record.event.data)
    early = fold.apply(fold.init(), records[:cut], lambda record: record.event.data)
    again = fold.apply(fold.restore(fold.snapshot(early)), records[cut:], lambda record: record.event.data)
    assert msgspec.to_builtins(again) == msgspec.to_builtins(whole)


def test_names_beyond_the_bound_share_one_and_nothing_is_lost():
    fold = totals()
    many = [
        made(seq, "action.completed", {"action": f"acme/a:{seq}", "unit": "acme/a"}, KERNEL, "")
        for seq in range(1, MOST + 101)
    ]
    again = [made(seq + 1_000, *(record.event.type, record.event.data, KERNEL, "")) for seq, record in enumerate(many)]
    state = fold.apply(fold.init(), many + again, lambda record: record.event.data)
    assert len(state.calls) == MOST + 1
    assert state.calls[OTHER].completed == 200
    assert state.calls["acme/a:1"].completed == 2
    assert sum(use.completed for use in state.calls.values()) == 2 * (MOST + 100)


def test_what_others_claim_is_not_counted():
    fold = totals()
    claimed = [
        made(1, "action.completed", {"action": "acme/a:go"}, "//home/client/bob", ""),
        made(2, "lease.denied", {"code": "RM-1"}, "//home/client/bob", ""),
    ]
    assert fold.apply(fold.init(), claimed, lambda record: record.event.data) == fold.init()


def test_refusals_count_their_tries_and_egress_its_bytes():
    fold = totals()
    told = [
        made(1, "lease.denied", {"code": "RM-4004", "tries": 3}, KERNEL, ""),
        made(2, "egress.denied", {"unit": "acme/a", "code": "RM-5"}, KERNEL, ""),
        made(3, "egress.allowed", {"unit": "acme/a", "sent": 10, "received": 20}, KERNEL, ""),
        made(4, "egress.allowed", {"unit": "acme/a", "sent": 1, "code": "timeout"}, KERNEL, ""),
        made(5, "plugin.failed", {"hook": "remit_event"}, KERNEL, ""),
    ]
    state = fold.view(fold.apply(fold.init(), told, lambda record: record.event.data))
    assert state["refusals"] == {"RM-4004": 3, "RM-5": 1}
    assert state["egress"] == {"acme/a": {"allowed": 1, "denied": 1, "failed": 1, "sent": 11, "received": 20}}
    assert state["plugins"] == {OTHER: 1}
