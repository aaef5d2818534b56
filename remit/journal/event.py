"""The record of something that happened: a CloudEvents 1.0 event, its bytes, and the names that only the kernel uses.

Event bytes are JSON with sorted keys, written once: the journal's chain is over these bytes.
Source: CloudEvents 1.0.2, https://github.com/cloudevents/spec.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from remit.errors import EventInvalid, SourceReserved
from remit.journal.blobs import digest_of

__all__ = [
    "GENERATION_TOPICS",
    "KERNEL_TOPICS",
    "MOST_EMITTED",
    "MOST_HOPS",
    "Draft",
    "Event",
    "Record",
    "check_topic",
    "client_source",
    "complete",
    "decode_event",
    "encode_data",
    "encode_event",
    "encode_json",
    "is_kernel",
    "kernel_source",
    "timestamp",
    "unit_source",
]

KERNEL_TOPICS = frozenset({
    "home", "unit", "plan", "grant", "lease", "consent", "action", "egress", "policy",
    "document", "plugin", "bus", "timer", "journal", "state", "trust", "registry", "file",
})  # fmt: skip
"""First words of topics that the kernel keeps for itself: nobody else may emit ``lease.*``."""

GENERATION_TOPICS = ("unit.applied", "unit.reverted")
"""Records that make a generation the active one."""

MOST_EMITTED = 1 << 20
"""Bytes of data that one who is not the kernel may emit at once."""

MOST_HOPS = 8
"""What an event that nothing caused may lead to."""

_TOPIC = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+")
_MAX_TOPIC = 200
_INLINE = 4 << 10
"""Bytes of data that an event holds itself."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A CloudEvents 1.0 event; the extension attributes are those from ``correlationid`` on.

    What an event lacks is its default: events that were written before an attribute was thought of keep their bytes.
    Its data comes out of JSON and leads back to nothing, so the garbage collector need not look at it.
    """

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str = ""
    datacontenttype: str = ""
    data: Any = None
    dataref: str = ""
    """``sha256:…`` of the payload, where the data is not inline."""
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""
    namespace: str = ""
    """The project that the event belongs to; "" is ``main``."""
    replyto: str = ""
    """The topic to answer on, or ""."""
    hops: int = MOST_HOPS
    """How many more reactions may follow one from another; the kernel counts down, and at 0 nothing reacts."""
    priority: int = 0
    """0 to 255: of deliveries that wait, those of higher priority come first."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event in the journal: its place, its link to the row before, and the generation that was active."""

    seq: int
    generation: int
    namespace: str
    prev: bytes
    hash: bytes
    event: Event

    @property
    def from_kernel(self) -> bool:
        """Whether the kernel itself said this: folds of kernel topics must look."""
        return is_kernel(self.event.source)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event before it has an id, a time and a place. ``source`` empty means the kernel."""

    type: str
    data: Any = None
    subject: str = ""
    source: str = ""
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    content_type: str = "application/json"
    id: str = ""
    """A chosen id, where another event of the same batch refers to it."""
    reply_to: str = ""
    hops: int = MOST_HOPS
    priority: int = 0


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Event)


def encode_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same value gives the same bytes."""
    return _ENCODER.encode(value)


def encode_data(draft: Draft) -> bytes:
    """The data of a draft as JSON.

    :raises EventInvalid: if JSON cannot hold it
    """
    try:
        return encode_json(draft.data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EventInvalid(f"the data of {draft.type!r} is not JSON: {error}") from error


def complete(draft: Draft, home_id: str, event_id: str, time: str, namespace: str) -> tuple[Event, bytes]:
    """The event that a draft becomes, and the bytes of its data, where they are too many to be inline (else none).

    :raises SourceReserved: if somebody else than the kernel claims a topic of the kernel
    :raises EventInvalid: if its data is not JSON
    """
    if draft.source and draft.type.partition(".")[0] in KERNEL_TOPICS:
        raise SourceReserved(f"{draft.type!r} belongs to the kernel; {draft.source} may not say it")
    data, dataref, apart = draft.data, "", b""
    if data is not None:
        encoded = encode_data(draft)
        if len(encoded) > _INLINE:
            data, dataref, apart = None, digest_of(encoded), encoded
        else:  # readers of recent records get what readers of the file will: lists for tuples, objects for structs
            data = msgspec.json.decode(encoded)
    event = Event(  # by place: by name they would take five times as long
        "1.0",
        event_id,
        draft.source or kernel_source(home_id),
        draft.type,
        time,
        draft.subject,
        draft.content_type if draft.data is not None else "",
        data,
        dataref,
        draft.correlation,
        draft.causation,
        draft.traceparent,
        "" if namespace == "main" else namespace,
        draft.reply_to,
        draft.hops,
        draft.priority,
    )
    return event, apart


def encode_event(event: Event) -> bytes:
    """The bytes that the chain is over.

    :raises EventInvalid: if one of its texts is not Unicode
    """
    try:
        return _ENCODER.encode(event)
    except UnicodeEncodeError as error:
        raise EventInvalid(f"the event {event.type!a} cannot be written: {error}") from error


def decode_event(data: bytes) -> Event:
    """The event in these bytes.

    :raises EventInvalid: if they are not one
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise EventInvalid(f"the bytes are not an event: {error}") from error


def kernel_source(home_id: str) -> str:
    """The source that only the kernel sets."""
    return f"//{home_id}/kernel"


def unit_source(home_id: str, unit_id: str, digest: str) -> str:
    """The source of what a unit emits; set by the kernel, never by the unit."""
    return f"//{home_id}/unit/{unit_id}@{digest}"


@lru_cache(maxsize=64)
def client_source(home_id: str, client: str) -> str:
    """The source of what a client says through the façade; set by the kernel."""
    return f"//{home_id}/client/{client}"


@lru_cache(maxsize=64)  # every fold asks it of every record
def is_kernel(source: str) -> bool:
    """Whether a source is a kernel's (of this or another home)."""
    return source.startswith("//") and source.endswith("/kernel") and source.count("/") == 3  # noqa: PLR2004 - "//", id, "/kernel"


@lru_cache(maxsize=4)  # a busy millisecond has several events
def timestamp(now_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return f"{_second(now_ms // 1_000)}.{now_ms % 1_000:03d}Z"


@lru_cache(maxsize=4)
def _second(now_s: int) -> str:
    return datetime.fromtimestamp(now_s, UTC).isoformat().removesuffix("+00:00")


@lru_cache(maxsize=512)  # most of a client's events are of a few topics; what is refused is not remembered
def check_topic(topic: str) -> None:
    """Refuse a topic that a unit or client may not emit.

    :raises EventInvalid: if it is not dot.case
    :raises SourceReserved: if its first word is the kernel's
    """
    if len(topic) > _MAX_TOPIC or not _TOPIC.fullmatch(topic):
        raise EventInvalid(
            f"{topic[:80]!r} is not a topic", remedy="use lower-case words joined by dots, like 'ticket.created'"
        )
    if topic.partition(".")[0] in KERNEL_TOPICS:
        raise SourceReserved(f"topics of {topic.partition('.')[0]!r} belong to the kernel: {topic!r} was not emitted")
