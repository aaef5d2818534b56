"""Read models that span rooms are pure folds: batches do not matter, snapshots do not, nor what others claim."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.host.models import actions, activity, documents, episodes, health, quantile, slots, topology
from remit.host.models.calls import Use
from remit.journal import inline
from remit.journal.event import Event, Record

KERNEL = "//home/kernel"
UNIT = f"//home/unit/acme/a@sha256:{'a' * 64}"
MODELS = {
    model.name: model for model in (actions(), activity(), documents(), episodes(), health(), slots(), topology())
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["unit", "action", "code", "duration_us", "message", "host"]), inner)
    ),
    max_leaves=8,
)
FACTS = st.fixed_dictionaries(
    {
        "unit": st.sampled_from(["acme/a", "acme/b"]),
        "digest": st.sampled_from(["sha256:1", "sha256:2"]),
        "action": st.sampled_from(["acme/a:go", "acme/b:go", "net:http", "events:emit"]),
        "resource": st.sampled_from(["https://one.example", "a.topic"]),
        "duration_us": st.integers(0, 20_000_000),
        "code": st.sampled_from(["RM-5010", "RM-4004"]),
    }
)
KINDS = st.sampled_from([
    "action.completed", "action.failed", "action.denied", "lease.denied", "egress.allowed", "plugin.failed",
    "odd.topic",
])  # fmt: skip


def made(seq, kind, data, source, correlation):
    event = Event(
        specversion="1.0", id=str(seq), source=source, type=kind, time=f"2026-01-01T00:00:{seq % 60:02}Z",
        data=data, correlationid=correlation,
    )  # fmt: skip
    return Record(seq=seq, generation=1, namespace="main", prev=b"", hash=b"", event=event)


RECORDS = st.lists(
    st.tuples(
        KINDS, FACTS | JSON, st.sampled_from([KERNEL, UNIT, "//home/client/bob"]), st.sampled_from(["", "e", "f"])
    ),
    max_size=30,
).map(lambda rows: [made(seq, *row) for seq, row in enumerate(rows, 1)])


def folded(model, batches):
    state = model.init()
    for batch in batches:
        state = model.apply(state, batch, inline)
    return state


@pytest.mark.parametrize("name", MODELS)
@given(records=RECORDS, cut=st.integers(0, 30))
def test_the_batches_in_which_records_come_do_not_matter(name, records, cut):
    model = MODELS[name]
    assert model.view(folded(model, [records[:cut], records[cut:]])) == model.view(folded(model, [records]))


@pytest.mark.parametrize("name", MODELS)
@given(records=RECORDS)
def test_a_snapshot_is_the_state(name, records):
    model = MODELS[name]
    state = folded(model, [records])
    assert model.view(model.restore(model.snapshot(state))) == model.view(state)


@pytest.mark.parametrize("name", MODELS)
@given(before=RECORDS, more=RECORDS)
def test_a_state_that_others_read_stays_as_it_was(name, before, more):
    model = MODELS[name]
    state = folded(model, [before])
    seen = copy.deepcopy(msgspec.to_builtins(state))
    model.apply(state, more, inline)
    assert msgspec.to_builtins(state) == seen


@given(records=RECORDS)
def test_what_others_say_of_calls_counts_for_nothing(records):
    foreign = [msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, source=UNIT)) for one in records]
    assert MODELS["actions"].view(folded(MODELS["actions"], [foreign])) == []
    assert MODELS["health"].view(folded(MODELS["health"], [foreign]))["counts"] == {}


@given(records=RECORDS)
def test_activity_counts_the_calls_that_actions_counts(records):
    ours = [
        one for one in records if isinstance(one.event.data, dict) and isinstance(one.event.data.get("action"), str)
    ]
    ours = [one for one in ours if one.event.data["action"]]
    steps = MODELS["activity"].view(folded(MODELS["activity"], [ours]))
    uses = MODELS["actions"].view(folded(MODELS["actions"], [ours]))
    for end in ("completed", "failed", "denied"):
        assert sum(one[end] for one in steps) == sum(one[end] for one in uses)
    assert [one["at"] for one in steps] == sorted({one["at"] for one in steps})


def test_the_oldest_activity_makes_room():
    model = MODELS["activity"]
    times = [
        f"2026-01-01T{hour:02}:{minute:02}:{ten}5.000Z" for hour in range(3) for minute in range(60) for ten in range(6)
    ]
    made_ = [made(seq, "action.completed", {"action": "a/b:c"}, KERNEL, "") for seq in range(1, len(times) + 1)]
    records = [
        msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, time=time))
        for one, time in zip(made_, times, strict=True)
    ]
    view = model.view(folded(model, [records]))
    assert len(view) == 1_000
    assert view[-1] == {"at": "2026-01-01T02:59:50Z", "completed": 1, "failed": 0, "denied": 0}


@given(records=RECORDS)
def test_every_record_of_an_episode_is_counted_in_it(records):
    view = MODELS["episodes"].view(folded(MODELS["episodes"], [records]))
    expected = {}
    for record in records:
        expected.setdefault(record.event.correlationid, []).append(record.seq)
    expected.pop("", None)
    assert {one["id"]: (one["first"], one["last"], one["records"]) for one in view} == {
        name: (seqs[0], seqs[-1], len(seqs)) for name, seqs in expected.items()
    }


def test_episodes_beyond_the_bound_make_room():
    model = MODELS["episodes"]
    records = [made(seq, "odd.topic", None, UNIT, f"e{seq}") for seq in range(1, 2_102)]
    view = model.view(folded(model, [records]))
    assert len(view) == 2_000
    assert view[0]["id"] == "e2101"


@given(st.lists(st.integers(0, 9_999_999), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_bounds_that_share_of_the_calls(took, share):
    records = [
        made(seq, "action.completed", {"action": "a/b:c", "duration_us": one}, KERNEL, "")
        for seq, one in enumerate(took, 1)
    ]
    state = folded(MODELS["actions"], [records])
    bound = quantile(state.by_action["a/b:c"], share)
    assert sum(one <= bound for one in took) >= share * len(took) - 1e-9


def test_no_calls_have_no_quantile():
    assert quantile(Use("a/b:c"), 0.5) is None


def test_a_unit_that_tells_a_topic_is_joined_to_it():
    model = MODELS["topology"]
    view = model.view(folded(model, [[made(1, "ticket.masked", {}, UNIT, "")]]))
    assert [(edge["unit"], edge["relation"], edge["target"], edge["seen"]) for edge in view["edges"]] == [
        ("acme/a", "emits", "ticket.masked", 1)
    ]
    assert {node["id"] for node in view["nodes"]} == {"acme/a", "topic ticket.masked"}


def test_topology_tells_what_is_granted_from_what_was_seen(kernel):
    kernel.call("acme/counter:increment", 1)
    edges = {(one["relation"], one["target"]): one for one in kernel.state("topology")["edges"]}
    assert edges["emits", "counter.changed"]["granted"]
    assert edges["emits", "counter.changed"]["seen"] == 1
    assert edges["offers", "acme/counter:increment"]["seen"] == 1


def test_documents_are_those_of_the_generation_that_was_active(kernel):
    now = kernel.home()
    assert kernel.state("documents") == {name: kernel.document(name) for name in kernel.documents()}
    assert kernel.state("documents", at=1) == {}
    assert kernel.state("documents", at=now.head) == kernel.state("documents")
