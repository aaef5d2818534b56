"""A trace is a pure function of an episode's records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import EpisodeUnknown
from remit.host.models.spans import span_id, trace_of
from remit.kernel.model import Caller

TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def call(seq, cause="", *, took=100, at=1_000, kind="action.completed", **extra):
    event = {
        "id": f"id{seq}", "type": kind, "source": "//home/kernel", "time": "2026-01-01T00:00:00Z",
        "causationid": cause, "data": {"action": "acme/a:go", "unit": "acme/a", "at_ms": at, "duration_us": took},
    }  # fmt: skip
    return {"seq": seq, "event": event | extra}


CAUSES = st.lists(st.integers(0, 12), min_size=1, max_size=12)


@given(CAUSES)
def test_every_record_is_one_span_whatever_caused_it(causes):
    records = [call(seq, f"id{cause}") for seq, cause in enumerate(causes, 1)]
    assert sorted(span.seq for span in trace_of("e", records).spans) == list(range(1, len(causes) + 1))


@given(st.lists(st.integers(0, 11), min_size=1, max_size=12))
def test_parents_come_before_their_children(causes):
    records = [call(seq, f"id{min(cause, seq - 1)}") for seq, cause in enumerate(causes, 1)]
    seen = set()
    known = {span_id(record["event"]["id"]) for record in records}
    for span in trace_of("e", records).spans:
        assert span.parent in seen or span.parent not in known
        seen.add(span.id)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**9)), min_size=1, max_size=10))
def test_the_trace_spans_all_of_its_spans(times):
    trace = trace_of("e", [call(seq, took=took, at=at) for seq, (took, at) in enumerate(times, 1)])
    assert trace.start_us == min(span.start_us for span in trace.spans)
    assert trace.start_us + trace.duration_us == max(span.start_us + span.duration_us for span in trace.spans)


def test_a_callers_trace_goes_on():
    trace = trace_of("e", [call(1, traceparent=TRACEPARENT), call(2, "id1", traceparent=TRACEPARENT)])
    assert trace.trace_id == "ab" * 16
    assert [span.parent for span in trace.spans] == ["cd" * 8, span_id("id1")]


def test_payloads_are_not_among_the_attributes():
    record = call(1)
    record["event"]["data"] |= {"input": "sha256:1", "output": "sha256:2", "principal": "bob"}
    assert trace_of("e", [record]).spans[0].attributes == {"action": "acme/a:go", "unit": "acme/a", "principal": "bob"}


def test_what_somebody_claims_in_an_event_is_no_attribute():
    record = call(1, source="//home/client/bob", type="odd.topic")
    assert trace_of("e", [record]).spans[0].attributes == {}


@pytest.fixture
def episode(kernel):
    kernel.call("acme/counter:increment", 1, caller=Caller(correlation="run-1", traceparent=TRACEPARENT))
    return kernel


def test_a_call_and_what_it_told_are_one_trace(episode):
    trace = episode.trace("run-1")
    [outer, told] = trace.spans
    assert (outer.name, outer.kind, outer.status) == ("acme/counter:increment", "call", "ok")
    assert (told.name, told.parent) == ("counter.changed", outer.id)


@pytest.mark.parametrize("name", ["run-1", "last", "ab" * 16])
def test_an_episode_goes_by_several_names(episode, name):
    assert episode.trace(name).id == "run-1"


def test_the_number_of_a_record_leads_to_its_episode(episode):
    assert episode.trace(str(episode.home().head)).id == "run-1"


@pytest.mark.parametrize("name", ["", "none", "0", "99999", "f" * 32, "../x"])
def test_an_episode_that_nobody_knows_is_an_error_that_says_so(episode, name):
    with pytest.raises(EpisodeUnknown):
        episode.trace(name)


def test_the_snapshot_holds_what_was_active(episode):
    view = episode.episode("run-1")
    assert view.generation == episode.home().generation
    assert view.documents == {name: episode.document(name) for name in episode.documents()}
    assert [record["event"]["type"] for record in view.records] == ["action.completed", "counter.changed"]


def test_a_trace_is_the_same_through_the_socket(episode, active_home):
    from remit.host import Client, Home  # noqa: PLC0415 - beside its use

    with Client(Home.open(active_home)) as client:
        assert client.trace("run-1") == episode.trace("run-1")
        assert client.episode("run-1") == episode.episode("run-1")
