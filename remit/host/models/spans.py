"""Spans of an episode: a pure function of its records, so that a trace survives a restart and any replay.

Ids follow W3C Trace Context: where a caller brought a ``traceparent``, its trace goes on here; else the trace id comes
from the episode's id, and span ids from those of the events.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

__all__ = ["Span", "Trace", "span_id", "trace_of"]

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_HIDDEN = frozenset({"at_ms", "duration_us", "input", "output", "log", "transcript", "writes", "charges", "key"})
_INTENDED = frozenset({"egress.intended", "file.intended"})
_LONGEST = 300


class Span(msgspec.Struct, frozen=True):
    """One operation or happening of an episode."""

    id: str
    """16 hexadecimal digits."""
    parent: str
    """The span it is part of, "" for none; one outside the episode where a caller's trace goes on."""
    name: str
    kind: Literal["call", "egress", "event", "refusal"]
    start_us: int
    """Microseconds since 1970."""
    duration_us: int
    """0 for what has no duration."""
    status: Literal["ok", "error", "denied"]
    seq: int
    """Its record."""
    unit: str = ""
    attributes: dict[str, Any] = {}


class Trace(msgspec.Struct, frozen=True):
    """The spans of one episode, parents before their children, else by time."""

    id: str
    """The episode's correlation id."""
    trace_id: str
    """32 hexadecimal digits."""
    start_us: int
    duration_us: int
    spans: tuple[Span, ...]


def trace_of(episode: str, records: Sequence[Mapping[str, Any]]) -> Trace:
    """The trace of an episode's records, which are as :meth:`remit.host.Facade.events` gives them."""
    found = [_span(record) for record in records if record["event"]["type"] not in _INTENDED]
    known = {span.id for span in found}
    outer = [match for record in records if (match := _TRACEPARENT.fullmatch(record["event"].get("traceparent", "")))]
    above = outer[0][2] if outer else ""
    found = [span if span.parent in known else msgspec.structs.replace(span, parent=above) for span in found]
    start = min((span.start_us for span in found), default=0)
    end = max((span.start_us + span.duration_us for span in found), default=start)
    trace_id = outer[0][1] if outer else _hex(f"remit/trace/1\n{episode}", 32)
    return Trace(episode, trace_id, start, end - start, tuple(_ordered(found)))


def span_id(event_id: str) -> str:
    """The span of an event."""
    return _hex(f"remit/span/1\n{event_id}", 16)


def _hex(words: str, digits: int) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:digits]


def _span(record: Mapping[str, Any]) -> Span:
    event = record["event"]
    data = event.get("data")
    facts: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    kind, status = _kind(event["type"], facts)
    took = facts.get("duration_us", 0)
    duration = took if isinstance(took, int) and kind in {"call", "egress"} else 0
    ended = facts.get("at_ms")
    # A record is written when what it tells has ended.
    end_us = ended * 1_000 if isinstance(ended, int) else int(datetime.fromisoformat(event["time"]).timestamp() * 1e6)
    return Span(
        id=span_id(event["id"]),
        parent=span_id(event["causationid"]) if event.get("causationid") else "",
        name=_name(event, facts, kind),
        kind=kind,
        start_us=end_us - duration,
        duration_us=duration,
        status=status,
        seq=record["seq"],
        unit=_unit(event["source"], facts),
        attributes=_attributes(facts) if event["source"].endswith("/kernel") else {},
    )


def _kind(
    topic: str, facts: Mapping[str, Any]
) -> tuple[Literal["call", "egress", "event", "refusal"], Literal["ok", "error", "denied"]]:
    match topic.split("."):
        case ["action", "completed"]:
            return "call", "ok"
        case ["action", "failed"]:
            return "call", "error"
        case [_, "denied" | "exhausted"]:
            return "refusal", "denied"
        case ["egress", _] | ["file", _]:
            return "egress", "error" if "code" in facts or topic == "file.failed" else "ok"
        case [*_, "failed"]:
            return "event", "error"
        case _:
            return "event", "ok"


def _name(event: Mapping[str, Any], facts: Mapping[str, Any], kind: str) -> str:
    if kind == "call":
        return str(facts.get("action", event["type"]))
    if kind == "egress" and "host" in facts:
        return f"{facts.get('method', '')} {facts.get('scheme', '')}://{facts['host']}".strip()
    if kind == "refusal":
        return f"{event['type']} {facts.get('resource', event.get('subject', ''))}"
    return str(event["type"])


def _unit(source: str, facts: Mapping[str, Any]) -> str:
    _, unit, rest = source.partition("/unit/")
    return rest.partition("@")[0] if unit else str(facts.get("unit", ""))


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a person would look for: short values, none of the digests that lead to payloads."""
    return {
        name: value[:_LONGEST] if isinstance(value, str) else value
        for name, value in facts.items()
        if name not in _HIDDEN and isinstance(value, str | int | float | bool)
    }


def _ordered(spans: Sequence[Span]) -> list[Span]:
    """Depth first, siblings by their start. A circle, which no journal of ours holds, ends up at the top."""
    children: dict[str, list[Span]] = {}
    known = {span.id for span in spans}
    for span in sorted(spans, key=lambda span: (span.start_us, span.seq)):
        children.setdefault(span.parent if span.parent in known and span.parent != span.id else "", []).append(span)
    ordered: list[Span] = []
    waiting = children.pop("", [])[::-1]
    while waiting or children:
        if not waiting:
            waiting = children.pop(next(iter(children)))[::-1]
        span = waiting.pop()
        ordered.append(span)
        waiting += children.pop(span.id, [])[::-1]
    return ordered
