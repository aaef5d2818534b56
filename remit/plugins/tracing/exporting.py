"""Sending episodes to a collector: gathered from the bus, sent when they have gone quiet, never in anybody's way.

What the collector does not take in time is dropped and told in the log: the journal has it, for ``remit trace``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from remit.errors import EpisodeUnknown, RemitError
from remit.host import Kernel, trace_of
from remit.journal import Clock, SystemClock
from remit.plugins.tracing.encoding import readable, resource_of
from remit.schemas.config import TracingChoice, expand

__all__ = ["Exporting", "Pending"]

_TURN_MS = 500
_QUIET_MS = 1_000
_MOST_WAIT_MS = 60_000
_MOST_RECORDS = 20_000
_CAPACITY = 10_000
_PAGE = 1_000
_BATCH = 512
_TIMEOUT_S = 2.0
"""Of one request with its retries; a process that ends waits for the last one."""
_log = logging.getLogger(__name__)
_Record = Mapping[str, Any]


class Pending:
    """Records of episodes that may go on, by episode. Bounded: beyond it the oldest episodes are let go early."""

    def __init__(self, most: int = _MOST_RECORDS) -> None:
        self._most = most
        self._count = 0
        self._found: dict[str, list[_Record]] = {}
        self._since: dict[str, tuple[int, int]] = {}

    def add(self, records: Sequence[_Record], now_ms: int) -> None:
        """Take records that belong to an episode."""
        for record in records:
            if episode := record["event"].get("correlationid"):
                self._found.setdefault(episode, []).append(record)
                first, _ = self._since.get(episode, (now_ms, now_ms))
                self._since[episode] = first, now_ms
                self._count += 1

    def ripe(self, now_ms: int, *, every: bool = False) -> list[tuple[str, list[_Record]]]:
        """The episodes to send now: quiet and whole, or waited for long enough, or too much to keep; or every one."""
        taken = []
        for episode in list(self._found):
            first, last = self._since[episode]
            records = self._found[episode]
            quiet = now_ms - last >= _QUIET_MS and _whole(records)
            if every or quiet or now_ms - first >= _MOST_WAIT_MS or self._count > self._most:
                del self._found[episode], self._since[episode]
                self._count -= len(records)
                taken.append((episode, records))
        return taken


def _whole(records: Sequence[_Record]) -> bool:
    """Whether no record waits for its cause: a call's own record is written after those of what it did."""
    known = {record["event"]["id"] for record in records}
    causes = (record["event"].get("causationid") for record in records)
    return all(not cause or cause in known for cause in causes)


class Exporting(threading.Thread):
    """Follows one kernel until that closes, then sends what is left."""

    def __init__(
        self,
        kernel: Kernel,
        choice: TracingChoice,
        exporter: SpanExporter | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name="remit-tracing")
        self._kernel = kernel
        self._clock = clock or SystemClock()
        self._exporter = exporter or _exporter(choice)
        self._pending = Pending()
        self._resource = resource_of(kernel.home().id)
        self._seen = kernel.home().head
        self._feed = kernel.subscribe(name="tracing", capacity=_CAPACITY)

    def run(self) -> None:
        """Gather and send. A process whose main thread ended without closing the kernel does not wait for us."""
        try:
            while threading.main_thread().is_alive():
                self._gather()
                self._send(every=False)
        except RemitError:  # the kernel is closed
            pass
        finally:
            self._send(every=True)
            self._exporter.shutdown()

    def _gather(self) -> None:
        heard = self._feed.receive(wait_ms=_TURN_MS)
        records = list(heard.records)
        if heard.missed and records:  # the mailbox was full; the journal has them
            self._catch_up(heard.after, records[0]["seq"])
        if records:
            self._seen = records[-1]["seq"]
        self._pending.add(records, self._now())

    def _catch_up(self, after: int, until: int) -> None:
        after = max(after, self._seen)
        while after + 1 < until and (page := self._kernel.events(after, limit=_PAGE)):
            self._pending.add([record for record in page if record["seq"] < until], self._now())
            after = page[-1]["seq"]
            self._send(every=False)

    def _now(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000

    def _send(self, *, every: bool) -> None:
        spans: list[ReadableSpan] = []
        for episode, records in self._pending.ripe(self._now(), every=every):
            seqs = {record["seq"] for record in records}
            try:
                trace = self._kernel.trace(episode)  # with what it had before: its trace id may come from there
            except EpisodeUnknown:
                continue
            except RemitError:
                trace = trace_of(episode, records)
            spans += readable(trace, seqs, self._resource)
        for start in range(0, len(spans), _BATCH):
            batch = spans[start : start + _BATCH]
            if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
                _log.warning("the collector did not take %d spans", len(batch))


def _exporter(choice: TracingChoice) -> OTLPSpanExporter:
    """The SDK's; where ``remit.toml`` names no endpoint, the environment does, as OpenTelemetry has it."""
    endpoint = f"{choice.endpoint.rstrip('/')}/v1/traces" if choice.endpoint else None
    return OTLPSpanExporter(endpoint=endpoint, headers=expand(choice.headers) or None, timeout=_TIMEOUT_S)
