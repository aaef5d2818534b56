"""Spans of an episode as OpenTelemetry has them. Pure; the ids are those of :mod:`remit.host.models.spans`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from remit.host import Span, Trace
from remit.schemas.release import VERSION

__all__ = ["readable", "resource_of"]

_NS = 1_000
_SCOPE = InstrumentationScope("remit", VERSION)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_LARGEST = (1 << 63) - 1
_KINDS = {"call": SpanKind.INTERNAL, "egress": SpanKind.CLIENT, "event": SpanKind.PRODUCER}


def resource_of(home: str) -> Resource:
    """Who speaks: one home. ``OTEL_RESOURCE_ATTRIBUTES`` adds to it."""
    return Resource.create({"service.name": "remit", "service.version": VERSION, "service.instance.id": home})


def readable(trace: Trace, seqs: Collection[int], resource: Resource) -> Iterator[ReadableSpan]:
    """Those spans of a trace whose records are named."""
    for span in trace.spans:
        if span.seq in seqs:
            yield _readable(trace, span, resource)


def _readable(trace: Trace, span: Span, resource: Resource) -> ReadableSpan:
    said: dict[str, Any] = {
        "unit": span.unit,
        "episode": trace.id,
        "seq": span.seq,
        "status": span.status,
    } | span.attributes
    return ReadableSpan(
        name=span.name,
        context=_context(trace.trace_id, span.id),
        parent=_context(trace.trace_id, span.parent) if span.parent else None,
        resource=resource,
        attributes={f"remit.{name}": _fitting(value) for name, value in said.items() if value != ""},
        kind=SpanKind.SERVER if span.kind == "call" and not span.parent else _KINDS.get(span.kind, SpanKind.INTERNAL),
        status=Status(StatusCode.UNSET if span.status == "ok" else StatusCode.ERROR),
        start_time=span.start_us * _NS,
        end_time=(span.start_us + span.duration_us) * _NS,
        instrumentation_scope=_SCOPE,
    )


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=_SAMPLED)


def _fitting(value: Any) -> Any:
    """Whole numbers have 64 bits there."""
    return str(value) if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST else value
