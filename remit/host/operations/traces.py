"""What the façade's ``Tracing`` does: an episode's records, its spans, and units' log lines.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from remit.errors import EpisodeUnknown, PayloadMissing
from remit.host.facade.views import EpisodeView, LogLine, StateAt, plain, record_view
from remit.host.models import Episodes
from remit.host.models.spans import Trace, trace_of
from remit.host.operations.governance import Context, Governance
from remit.host.operations.present import PRESENT, present
from remit.journal import Record

__all__ = ["Traces"]

_MOST_RECORDS = 10_000
_MOST_LINES = 10_000
_PAGE = 1_000
_LOGGED = ("action.completed", "action.failed", "lease.denied", "egress.denied", "plugin.failed")
_TRACE = re.compile(r"[0-9a-f]{32}")


class Traces(Governance):
    """See the façade."""

    def latest(self, _context: Context, model: str) -> StateAt:
        if model in PRESENT:
            head = self._rooms.journal.head.seq
            return StateAt(head, plain(present(self._rooms, None)))
        seq, value = self._rooms.folds.view_latest(model)
        return StateAt(seq, plain(value))

    def trace(self, _context: Context, episode: str) -> Trace:
        found, records = self._episode(episode)
        return trace_of(found, [record_view(self._rooms.journal, record) for record in records])

    def episode(self, _context: Context, episode: str) -> EpisodeView:
        found, records = self._episode(episode)
        views = [record_view(self._rooms.journal, record) for record in records]
        generation = self._rooms.lifecycle.generations.get(records[0].generation)
        known: Episodes = self._rooms.folds.state("episodes")
        return EpisodeView(
            id=found,
            episode=plain(known.by_id.get(found)),
            generation=generation.number,
            units={f"{unit.ref.id}@{unit.ref.version}": unit.ref.digest for unit in generation.units},
            documents=generation.effective(),
            trace=trace_of(found, views),
            records=views,
        )

    def _episode(self, name: str) -> tuple[str, list[Record]]:
        """An episode by its id, by the number of one of its records, by a W3C trace id, or the newest as ``last``."""
        known: Episodes = self._rooms.folds.state("episodes")
        episode, start = name, 0
        if name == "last" and known.by_id:
            episode = next(reversed(known.by_id))
        elif name.isascii() and name.isdigit() and len(name) < 16:  # noqa: PLR2004 - digits of a sequence number
            episode = self._correlation(int(name))
        elif _TRACE.fullmatch(name):
            carried = (one.id for one in reversed(known.by_id.values()) if name in one.traceparent)
            episode = next(carried, "")
        if (summary := known.by_id.get(episode)) is not None:
            start = summary.first - 1
        records = list(self._of(episode, start, summary.last if summary else None)) if episode else []
        if not records:
            raise EpisodeUnknown(f"no episode is known as {name[:200]!r}")
        return episode, records

    def _correlation(self, seq: int) -> str:
        found = self._rooms.journal.read(max(seq - 1, 0), limit=1)
        return next((record.event.correlationid for record in found if record.seq == seq), "")

    def _of(self, episode: str, after: int, until: int | None) -> Iterator[Record]:
        """The episode's records; of one that is not among the newest, the whole journal is looked through."""
        count = 0
        for record in self._rooms.journal.read(after):
            if count >= _MOST_RECORDS or (until is not None and record.seq > until):
                return
            if record.event.correlationid == episode:
                count += 1
                yield record

    def logs(self, _context: Context, after: int, unit: str, episode: str, last: int, until: int) -> list[LogLine]:
        if last:
            return self._newest(unit, episode, last)
        found: list[LogLine] = []
        for record in self._rooms.journal.read(after, prefixes=_LOGGED):
            if (until and record.seq > until) or len(found) >= _MOST_LINES:
                break
            found += self._lines(record, unit, episode)
        return found

    def _newest(self, unit: str, episode: str, count: int) -> list[LogLine]:
        """A page of records at a time from the end: a home may have a long past without one line."""
        journal, lines = self._rooms.journal, list[LogLine]()
        end = journal.head.seq
        while end > 0 and len(lines) < count:
            start = max(end - _PAGE, 0)
            page = journal.read(start, limit=end - start, prefixes=_LOGGED)
            lines[:0] = [one for record in page if record.seq <= end for one in self._lines(record, unit, episode)]
            end = start
        return lines[-count:]

    def _lines(self, record: Record, unit: str, episode: str) -> Iterator[LogLine]:
        event = record.event
        facts: Any = {}
        if record.from_kernel:
            with suppress(PayloadMissing):
                facts = self._rooms.journal.data(record)
        who = str(facts.get("unit") or facts.get("plugin") or "")
        if (unit and who != unit) or (episode and event.correlationid != episode):
            return
        base = LogLine(record.seq, event.time, "info", who, str(facts.get("action", "")), "", event.correlationid)
        if facts.get("log"):
            with suppress(PayloadMissing):  # erased: what was said is gone, that it failed stays
                for line in msgspec.json.decode(self._rooms.journal.payload(facts["log"])):
                    yield msgspec.structs.replace(
                        base, level=line["level"], message=line["message"], fields=line.get("fields", "")
                    )
        if event.type != "action.completed":
            level = "warn" if event.type.endswith("denied") else "error"
            words = facts.get("message") or facts.get("reason") or facts.get("error") or event.type
            yield msgspec.structs.replace(base, level=level, message=str(words), code=str(facts.get("code", "")))
