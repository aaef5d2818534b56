"""The read model ``egress``: where units reached outside, under which grant, how much went over, and what was refused.

A pure fold over what the kernel said of requests and of file writes. It counts by destination; the newest attempts are
kept one by one, all of them are in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import JournalError
from remit.journal.event import Record

__all__ = ["Attempt", "Destination", "Egress", "Ledger"]

_MAX_DESTINATIONS = 1_000
_MAX_ATTEMPTS = 500
_MAX_LISTED = 16
_MAX_TEXT = 500
_OUTCOMES = {
    "egress.allowed": "allowed",
    "egress.denied": "denied",
    "file.written": "allowed",
    "file.failed": "failed",
}


class Destination(msgspec.Struct, frozen=True):
    """What one unit did at one place, with one outcome. Sizes are bytes, durations microseconds."""

    unit: str
    action: str
    where: str
    """An origin (RFC 6454) or a path."""
    outcome: str
    attempts: int = 0
    sent: int = 0
    received: int = 0
    duration_us: int = 0
    grants: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """Statuses and refusals, the newest last."""
    first: str = ""
    """RFC 3339 time of the first attempt."""
    last: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One attempt, or equal refusals of one call together."""

    seq: int
    at: str
    unit: str
    action: str
    where: str
    outcome: str
    method: str = ""
    code: str = ""
    """The status of the answer, or why there was none."""
    sent: int = 0
    received: int = 0
    duration_us: int = 0
    grant: str = ""
    policies: tuple[str, ...] = ()
    tries: int = 1


class Ledger(msgspec.Struct):
    """The state of the fold."""

    destinations: dict[str, Destination] = {}
    """By a joined key, least recently reached first; the oldest makes room."""
    attempts: tuple[Attempt, ...] = ()
    """The newest, oldest first."""


class Egress:
    """The fold; stateless itself."""

    name: str = "egress"
    version: int = 1
    topics: tuple[str, ...] = ("egress.", "file.")

    def init(self) -> Ledger:
        """An empty ledger."""
        return Ledger()

    def apply(self, state: Ledger, records: Sequence[Record], data: Callable[[Record], Any]) -> Ledger:
        """The ledger after these records. Records of others, and malformed or erased ones, change nothing."""
        destinations = dict(state.destinations)
        attempts = list(state.attempts)
        for record in records:
            attempt = _attempt(record, data)
            if attempt is None:
                continue
            attempts.append(attempt)
            key = f"{attempt.unit}\n{attempt.action}\n{attempt.where}\n{attempt.outcome}"
            destinations[key] = _counted(destinations.pop(key, None), attempt)
            if len(destinations) > _MAX_DESTINATIONS:
                del destinations[next(iter(destinations))]
        return Ledger(destinations, tuple(attempts[-_MAX_ATTEMPTS:]))

    def snapshot(self, state: Ledger) -> bytes:
        """The ledger as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Ledger:
        """The ledger that :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Ledger)

    def view(self, state: Ledger) -> object:
        """Destinations and attempts, the latest first."""
        return {
            "destinations": [msgspec.to_builtins(one) for one in reversed(state.destinations.values())],
            "attempts": [msgspec.to_builtins(one) for one in reversed(state.attempts)],
        }


def _attempt(record: Record, data: Callable[[Record], Any]) -> Attempt | None:
    outcome = _OUTCOMES.get(record.event.type)
    if outcome is None or not record.from_kernel:
        return None
    try:
        said = data(record)
    except JournalError:
        return None
    if not isinstance(said, Mapping):
        return None
    status = said.get("status")
    code = str(status) if isinstance(status, int) else _text(said.get("code"))
    if outcome == "allowed" and "code" in said:
        outcome = "failed"  # it was let out, and did not come back whole
    return Attempt(
        seq=record.seq,
        at=record.event.time,
        unit=_text(said.get("unit")),
        action=_text(said.get("action")) or "fs:write",
        where=_where(said),
        outcome=outcome,
        method=_text(said.get("method")),
        code=code,
        sent=_amount(said.get("sent", said.get("bytes"))),
        received=_amount(said.get("received")),
        duration_us=_amount(said.get("duration_us")),
        grant=_text(said.get("grant")),
        policies=_listed(said.get("policies")),
        tries=max(1, _amount(said.get("tries"))),
    )


def _where(said: Mapping[str, Any]) -> str:
    if isinstance(said.get("host"), str):
        return f"{_text(said.get('scheme'))}://{_text(said['host'])}:{_amount(said.get('port'))}"
    return _text(said.get("resource")) or _text(said.get("path"))


def _counted(before: Destination | None, attempt: Attempt) -> Destination:
    known = before or Destination(attempt.unit, attempt.action, attempt.where, attempt.outcome, first=attempt.at)
    return msgspec.structs.replace(
        known,
        attempts=known.attempts + attempt.tries,
        sent=known.sent + attempt.sent,
        received=known.received + attempt.received,
        duration_us=known.duration_us + attempt.duration_us,
        grants=_newest(known.grants, attempt.grant),
        policies=_newest(known.policies, *attempt.policies),
        codes=_newest(known.codes, attempt.code),
        last=attempt.at,
    )


def _newest(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """What is listed, without repetitions, the newest last; the oldest makes room."""
    added = [one for one in more if one]
    return (*(one for one in known if one not in added), *dict.fromkeys(added))[-_MAX_LISTED:]


def _listed(value: object) -> tuple[str, ...]:
    return tuple(_text(one) for one in value[:_MAX_LISTED]) if isinstance(value, list | tuple) else ()


def _amount(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""
