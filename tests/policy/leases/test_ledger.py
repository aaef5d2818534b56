"""The egress ledger says where units reached, and only what the kernel said of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from remit.journal.event import Event, Record
from remit.policy.leases.ledger import Egress

KERNEL, UNIT = "//home/kernel", "//home/unit/acme/a@sha256:x"
FACTS = {"unit": "acme/a", "action": "net:http", "scheme": "https", "host": "api.example", "port": 443, "grant": "g1"}
NAMES = st.sampled_from([*FACTS, "status", "code", "sent", "tries", "policies"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["egress.allowed", "egress.denied", "egress.intended", "file.written", "file.failed", "file.odd"]
)


def record(seq, kind, source=KERNEL):
    event = Event(specversion="1.0", id=str(seq), source=source, type=kind, time=f"2026-01-01T00:00:{seq:02}Z")
    return Record(seq=seq, generation=1, namespace="main", prev=b"", hash=b"", event=event)


def folded(*said, source=KERNEL):
    fold = Egress()
    records = [record(seq, kind, source) for seq, (kind, _) in enumerate(said, 1)]
    return fold, fold.apply(fold.init(), records, lambda one: said[one.seq - 1][1])


def test_attempts_at_one_place_are_counted_together():
    answer = FACTS | {"method": "GET", "status": 200, "sent": 10, "received": 90, "duration_us": 5, "policies": ["p"]}
    fold, state = folded(("egress.allowed", answer), ("egress.allowed", answer | {"grant": "g2", "status": 404}))
    (place,) = fold.view(state)["destinations"]
    assert place == {
        "unit": "acme/a", "action": "net:http", "where": "https://api.example:443", "outcome": "allowed", "attempts": 2,
        "sent": 20, "received": 180, "duration_us": 10, "grants": ("g1", "g2"), "policies": ("p",),
        "codes": ("200", "404"), "first": "2026-01-01T00:00:01Z", "last": "2026-01-01T00:00:02Z",
    }  # fmt: skip


def test_what_was_let_out_and_did_not_come_back_whole_has_failed():
    fold, state = folded(("egress.allowed", FACTS | {"code": "timeout"}))
    assert [(one["outcome"], one["code"]) for one in fold.view(state)["attempts"]] == [("failed", "timeout")]


def test_refusals_of_one_call_count_each():
    said = {"unit": "acme/a", "action": "net:http", "resource": "https://b.example", "code": "denied", "tries": 7}
    fold, state = folded(("egress.denied", said))
    (place,) = fold.view(state)["destinations"]
    assert (place["where"], place["attempts"], place["codes"]) == ("https://b.example", 7, ("denied",))


def test_nobody_but_the_kernel_writes_the_ledger():
    fold, state = folded(("egress.allowed", FACTS), source=UNIT)
    assert fold.view(state) == {"destinations": [], "attempts": []}


def test_the_ledger_is_bounded_and_keeps_the_newest():
    many = [("egress.denied", {"unit": "acme/a", "resource": f"https://h{n}.example"}) for n in range(1_200)]
    fold, state = folded(*many)
    view = fold.view(state)
    assert (len(view["destinations"]), len(view["attempts"])) == (1_000, 500)
    assert view["destinations"][0]["where"] == view["attempts"][0]["where"] == "https://h1199.example"


@given(said=st.lists(st.tuples(KINDS, JSON), max_size=8))
def test_whatever_is_said_folds_to_json_and_survives_a_snapshot(said):
    fold, state = folded(*said)
    json.dumps(fold.view(state))
    assert fold.view(fold.restore(fold.snapshot(state))) == fold.view(state)


@given(said=st.lists(st.tuples(KINDS, JSON), max_size=8), at=st.integers(0, 8))
def test_folding_in_parts_gives_the_same(said, at):
    fold, whole = folded(*said)
    _, first = folded(*said[:at])
    rest = [record(seq, said[seq - 1][0]) for seq in range(len(said[:at]) + 1, len(said) + 1)]
    assert fold.view(fold.apply(first, rest, lambda one: said[one.seq - 1][1])) == fold.view(whole)
