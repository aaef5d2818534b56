"""Spans as a collector gets them: decoded from the protobuf, under the ids that ``remit trace`` shows."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from remit.errors import RemitError
from remit.host import Caller, Kernel
from remit.plugins.tracing.exporting import Pending


class Collector(ThreadingHTTPServer):
    """An OTLP/HTTP receiver that keeps what it got."""

    def __init__(self, status=200):
        self.requests = []
        self.heads = []
        self.status = status
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self):
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heads.append((self.path, dict(self.headers.items())))
        if self.server.status == 200:
            self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def collecting(status=200):
    with Collector(status) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


def traced(home, url):
    config = home / "remit.toml"
    config.write_text(config.read_text() + f'\n[tracing]\nendpoint = "{url}"\nheaders = {{ x-team = "ops" }}\n')
    return home


def finished():
    """Wait until the exporting threads have sent what was left."""
    for thread in threading.enumerate():
        if thread.name == "remit-tracing":
            thread.join(30)


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_the_spans_of_an_episode_arrive_under_the_ids_that_the_journal_gives(active_home):
    with collecting() as collector:
        with Kernel.open(traced(active_home, collector.url)) as kernel:
            parent = f"00-{'a' * 32}-{'b' * 16}-01"
            kernel.call("acme/echo:echo", {"a": 1}, caller=Caller(correlation="one", traceparent=parent))
            kernel.call("acme/counter:increment", {}, caller=Caller(correlation="two"))
            with pytest.raises(RemitError):
                kernel.call("acme/loop:spin", {}, caller=Caller(correlation="three"))
            traces = {name: kernel.trace(name) for name in ("one", "two", "three")}
            instance = kernel.home().id
        finished()
    wanted = {
        (trace.trace_id, span.id, span.parent, span.name, span.start_us * 1_000)
        for trace in traces.values()
        for span in trace.spans
    }
    got = [
        (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), one.name, one.start_time_unix_nano)
        for one in collector.spans
    ]
    assert set(got) == wanted
    assert max(Counter(got).values()) == 1
    assert {one.status.code for one in collector.spans if attributes(one)["remit.episode"] == "three"} == {2}
    path, heads = collector.heads[0]
    assert path == "/v1/traces"
    assert {name.lower(): value for name, value in heads.items()}["x-team"] == "ops"
    resource = {one.key: one.value.string_value for one in collector.requests[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "remit"
    assert resource["service.instance.id"] == instance


def test_an_episode_that_goes_quiet_is_sent_while_the_kernel_runs(active_home):
    with collecting() as collector:
        with Kernel.open(traced(active_home, collector.url)) as kernel:
            kernel.call("acme/echo:echo", {"a": 1})
            pause = threading.Event()
            for _ in range(300):
                if collector.spans:
                    break
                pause.wait(0.1)
            early = [span.name for span in collector.spans]
        finished()
    assert early == ["acme/echo:echo"]


@pytest.mark.parametrize("status", [400, None])
def test_a_collector_that_refuses_or_is_not_there_is_in_nobodys_way(active_home, status):
    with collecting(status or 400) as collector:
        url = collector.url if status else "http://127.0.0.1:9"
        with Kernel.open(traced(active_home, url)) as kernel:
            assert kernel.call("acme/echo:echo", {"a": 1}) == {"a": 1}
            assert kernel.findings() == []
        finished()
    with Kernel.open(active_home) as again:
        assert again.call("acme/echo:echo", 1) == 1
    finished()


def test_without_a_collector_nothing_runs(active_home):
    with Kernel.open(active_home):
        assert "remit-tracing" not in {thread.name for thread in threading.enumerate()}


RECORDS = st.lists(
    st.tuples(st.sampled_from(["", "e", "f", "g"]), st.sampled_from(["", "1", "2", "3", "none"])), max_size=30
).map(
    lambda rows: [
        {"seq": seq, "event": {"id": str(seq), "correlationid": episode, "causationid": cause}}
        for seq, (episode, cause) in enumerate(rows, 1)
    ]
)


@given(records=RECORDS, turns=st.lists(st.integers(0, 90_000), max_size=10), most=st.integers(1, 40))
def test_every_record_of_an_episode_is_let_go_exactly_once(records, turns, most):
    pending = Pending(most)
    taken, now = [], 0
    for place, record in enumerate(records):
        pending.add([record], now)
        if place < len(turns):
            now += turns[place]
            taken += pending.ripe(now)
    taken += pending.ripe(now, every=True)
    let_go = [record["seq"] for _, found in taken for record in found]
    assert sorted(let_go) == [record["seq"] for record in records if record["event"]["correlationid"]]
    assert pending.ripe(now + 10**9, every=True) == []
