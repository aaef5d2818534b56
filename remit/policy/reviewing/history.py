"""The read model ``policy``: the set in force, those before it, and the one in shadow with what it would change.

Texts are not in the fold: an entry names the record that holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import JournalError
from remit.journal.event import Record

__all__ = ["History", "Published", "SetHistory", "Shadow", "Shadowed"]

_MAX_HISTORY = 1_000
_MAX_DIFFERENCES = 200
_MAX_TEXT = 500


class Published(msgspec.Struct, frozen=True):
    """A set that came into force."""

    digest: str
    posture: str
    seq: int
    """The record that holds its texts."""
    at: str
    by: str = ""
    reason: str = ""
    kind: str = "published"
    """``published`` or ``rolledback``."""
    widens: bool = False
    override: bool = False


class Shadowed(msgspec.Struct, frozen=True):
    """A decision that the shadow set would make otherwise."""

    principal: str
    action: str
    resource: str
    live: str
    shadow: str
    policies: tuple[str, ...] = ()
    """Those that decide in the shadow set."""


class Shadow(msgspec.Struct, frozen=True):
    """The set that runs beside the live one."""

    digest: str
    posture: str
    seq: int
    at: str
    since_ms: int
    by: str = ""
    differences: tuple[Shadowed, ...] = ()


class History(msgspec.Struct, frozen=True):
    """The state of the fold."""

    sets: tuple[Published, ...] = ()
    """Oldest first; the last one is in force."""
    shadow: Shadow | None = None


class SetHistory:
    """The fold; stateless itself."""

    name: str = "policy"
    version: int = 1
    topics: tuple[str, ...] = ("policy.",)

    def init(self) -> History:
        """No set yet."""
        return History()

    def apply(self, state: History, records: Sequence[Record], data: Callable[[Record], Any]) -> History:
        """The history after these records. Records of others, and malformed or erased ones, change nothing."""
        for record in records:
            if record.from_kernel:
                try:
                    said = data(record)
                except JournalError:
                    continue
                if isinstance(said, Mapping):
                    state = _step(state, record, said)
        return state

    def snapshot(self, state: History) -> bytes:
        """The history as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> History:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=History)

    def view(self, state: History) -> object:
        """The set in force, those before it, and the shadow."""
        built: dict[str, Any] = msgspec.to_builtins(state)
        return {
            "live": built["sets"][-1] if built["sets"] else None,
            "history": built["sets"],
            "shadow": built["shadow"],
        }


def _step(state: History, record: Record, said: Mapping[str, Any]) -> History:
    kind = record.event.type
    if kind in {"policy.published", "policy.rolledback"}:
        entry = Published(
            digest=_text(said.get("digest")),
            posture=_text(said.get("posture")),
            seq=record.seq,
            at=record.event.time,
            by=_text(said.get("by")),
            reason=_text(said.get("reason")),
            kind=kind.partition(".")[2],
            widens=said.get("widens") is True,
            override=said.get("override") is True,
        )
        shadow = state.shadow if state.shadow is None or state.shadow.digest != entry.digest else None
        return History((*state.sets, entry)[-_MAX_HISTORY:], shadow)
    if kind == "policy.shadowed":
        since = said.get("at_ms")
        shadow = Shadow(
            digest=_text(said.get("digest")),
            posture=_text(said.get("posture")),
            seq=record.seq,
            at=record.event.time,
            since_ms=since if isinstance(since, int) else 0,
            by=_text(said.get("by")),
        )
        return History(state.sets, shadow)
    if kind == "policy.unshadowed":
        return History(state.sets)
    if kind == "policy.differed" and state.shadow is not None and said.get("digest") == state.shadow.digest:
        return History(state.sets, _differed(state.shadow, said))
    return state


def _differed(shadow: Shadow, said: Mapping[str, Any]) -> Shadow:
    listed = said.get("policies")
    policies = tuple(_text(one) for one in listed[:16]) if isinstance(listed, list | tuple) else ()
    difference = Shadowed(
        principal=_text(said.get("principal")),
        action=_text(said.get("action")),
        resource=_text(said.get("resource")),
        live=_text(said.get("live")),
        shadow=_text(said.get("shadow")),
        policies=policies,
    )
    if difference in shadow.differences or len(shadow.differences) >= _MAX_DIFFERENCES:
        return shadow
    return msgspec.structs.replace(shadow, differences=(*shadow.differences, difference))


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""
