"""What operations give back, where no room's own type fits."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import msgspec

from remit.errors import PayloadMissing
from remit.host.models.spans import Trace
from remit.journal import Journal, Record
from remit.kernel.model import UnitRef

__all__ = [
    "Ailment",
    "BackupView",
    "DocumentChange",
    "Entry",
    "EpisodeView",
    "Examined",
    "HomeView",
    "LeaseView",
    "LogLine",
    "PromptText",
    "PromptView",
    "StateAt",
    "plain",
    "record_view",
]


def plain(value: Any) -> Any:
    """A value as JSON data: what a caller in process gets is what one behind the socket gets."""
    return msgspec.json.decode(msgspec.json.encode(value))


class HomeView(msgspec.Struct, frozen=True):
    """A home and its kernel."""

    id: str
    root: str
    pid: int
    program: str
    generation: int
    head: int
    """Sequence number of the journal's last record."""
    posture: str
    plugins: list[str]


class Entry(msgspec.Struct, frozen=True):
    """One installed version of a unit."""

    ref: UnitRef
    title: str
    origin: str
    active: bool
    signer: str = ""
    """Who signed it, for people; "" where nobody did."""
    trial: str = ""
    """The trial that it is the arm of, or ""."""


class PromptView(msgspec.Struct, frozen=True):
    """A prompt of an active unit, without its words."""

    name: str
    """``publisher/name:prompt``."""
    title: str
    description: str
    arguments: tuple[dict[str, Any], ...]
    """``name``, ``title``, ``description`` and ``required`` of each."""
    digest: str
    """Of all that the manifest says of it, its words among it."""
    unit: str
    version: str


class PromptText(msgspec.Struct, frozen=True):
    """A prompt with its arguments in their places."""

    prompt: PromptView
    text: str


class DocumentChange(msgspec.Struct, frozen=True):
    """How a document came to be what it is in a generation."""

    document: str
    generation: int
    seq: int
    """The record that says so; where a watch begins, the last one before it."""
    patch: list[dict[str, Any]]
    """A JSON Patch (RFC 6902) of what it was. The first one of a watch replaces the whole document."""


class LeaseView(msgspec.Struct, frozen=True):
    """A grant and its live lease."""

    id: str
    unit: str
    version: str
    digest: str
    action: str
    resource: str
    state: Literal["standing", "revoked"]
    policies: tuple[str, ...]
    consent: str
    envelope: dict[str, Any]
    lease_until_ms: int | None
    calls_left: int | None
    bytes_left: int | None
    host_us_left: int | None
    """Microseconds."""
    fuel_left: int | None


class Ailment(msgspec.Struct, frozen=True):
    """A trouble that a check found (:class:`remit.journal.checks.Trouble`), as data."""

    severity: Literal["error", "warning", "note"]
    cause: str
    remedy: str
    fix: str
    """What mending would do; "" where only a person can put it right."""
    mended: bool = False


class Examined(msgspec.Struct, frozen=True):
    """One check and what it found."""

    id: str
    title: str
    ailments: tuple[Ailment, ...] = ()


class BackupView(msgspec.Struct, frozen=True):
    """What a backup holds."""

    home: str
    """The home's id."""
    seq: int
    """The last record in it."""
    hash: str
    files: int
    bytes: int


class StateAt(msgspec.Struct, frozen=True):
    """A read model, and the last record that is in it."""

    seq: int
    value: Any


class LogLine(msgspec.Struct, frozen=True):
    """One line that a unit logged, or a failure or refusal told as one."""

    seq: int
    """The record it belongs to."""
    time: str
    """RFC 3339; when the call ended."""
    level: str
    unit: str
    action: str
    message: str
    episode: str
    fields: str = ""
    """Further JSON that came with it."""
    code: str = ""


class EpisodeView(msgspec.Struct, frozen=True):
    """One episode, whole: enough to see what ran, on what, and in which order."""

    id: str
    episode: dict[str, Any] | None
    """Its row of the read model ``episodes``, while that has it."""
    generation: int
    """What was active at its first record."""
    units: dict[str, str]
    """Digests of that generation's units, by ``ID@VERSION``."""
    documents: dict[str, Any]
    trace: Trace
    records: list[dict[str, Any]]


def record_view(journal: Journal, record: Record) -> dict[str, Any]:
    """A record as callers see it, with its data where that is not erased."""
    event = msgspec.to_builtins(record.event)
    if record.event.dataref:
        with suppress(PayloadMissing):  # the reference stays
            event["data"] = journal.data(record)
    return {
        "seq": record.seq,
        "generation": record.generation,
        "namespace": record.namespace,
        "hash": record.hash.hex(),
        "event": event,
    }
