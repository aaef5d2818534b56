"""The read model ``leases``: grants given and revoked, what they used in their window, and denials grouped by cause.

A pure fold over what the kernel itself said; nobody else's ``lease.*`` or ``grant.*`` moves it. It lets budgets and
revocations survive the process: the authority reads it when a generation is activated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from remit.errors import JournalError
from remit.journal import GENERATION_TOPICS, Reading, Record
from remit.kernel.model import Amounts, Grant
from remit.policy.leases.budgets import Usage

__all__ = ["Budgets", "Consent", "Denial", "LeaseBook", "Leases", "Revocation"]

_MAX_DENIALS = 1_000
_MAX_CONSENTS = 1_000
_CONSENT_STATES = {"consent.asked": "pending", "consent.given": "given", "consent.refused": "refused"}
_TABLES = ("grants", "revoked", "usage", "denials", "reserved", "consents", "quarantined", "delegated")
_MAX_TEXT = 500
_MAX_LINE = 8
"""Grants that are looked at for the state of one: no line of delegations is so long."""


class Revocation(msgspec.Struct, frozen=True):
    """Why a grant ended, and who ended it."""

    reason: str = ""
    by: str = ""


class Denial(msgspec.Struct, frozen=True):
    """Refusals of one kind: the same unit, action, resource and code."""

    unit: str
    action: str
    resource: str
    code: str
    reason: str
    policies: tuple[str, ...]
    count: int
    first: str
    """RFC 3339 time of the first."""
    last: str


class Consent(msgspec.Struct, frozen=True):
    """A question to a person, and the answer. ``id`` is made of everything that the answer binds to."""

    id: str
    unit: str
    digest: str
    action: str
    resource: str
    envelope: dict[str, Any]
    reach: str
    """Digest of the policies in reach: an edit of one of them voids the answer, an edit elsewhere does not."""
    grant: str = ""
    policies: tuple[str, ...] = ()
    prompt: str = ""
    approvers: tuple[str, ...] = ()
    """Roles of which the person must have one, where the policy names them."""
    state: Literal["pending", "given", "refused"] = "pending"
    by: str = ""
    reason: str = ""
    at: str = ""
    """RFC 3339 time of the question, then of the answer."""


class _Ref(msgspec.Struct, frozen=True):
    digest: str


class _Unit(msgspec.Struct, frozen=True):
    ref: _Ref


class _Units(msgspec.Struct, frozen=True):
    units: tuple[_Unit, ...] = ()


class _Active(msgspec.Struct, frozen=True):
    """What this fold reads of a generation that becomes active."""

    grants: tuple[str, ...] = ()
    """Their ids."""
    generation: _Units = _Units()


class LeaseBook(msgspec.Struct):
    """The state of the fold, by grant id."""

    grants: dict[str, Grant] = {}
    revoked: dict[str, Revocation] = {}
    usage: dict[str, Usage] = {}
    denials: dict[str, Denial] = {}
    """By a joined key, least recently seen first; the oldest makes room."""
    reserved: dict[str, Usage] = {}
    """What counts as used after a crash: totals that were reserved before they were spent."""
    consents: dict[str, Consent] = {}
    """By id, oldest question first."""
    quarantined: dict[str, Revocation] = {}
    """By publisher; a killed version by its digest."""
    delegated: dict[str, Grant] = {}
    """Grants that were delegated from others, by id, parents before children."""
    active: frozenset[str] = frozenset()
    """Ids of the grants of the active generation."""
    units: frozenset[str] = frozenset()
    """Digests of its units."""


class Leases:
    """The fold; stateless itself."""

    name: str = "leases"
    version: int = 5
    topics: tuple[str, ...] = (
        "grant.", "lease.", "consent.", "action.", *GENERATION_TOPICS, "unit.quarantined", "unit.released",
        "unit.withdrawn",
    )  # fmt: skip

    def init(self) -> LeaseBook:
        """An empty book."""
        return LeaseBook()

    def apply(self, state: LeaseBook, records: Sequence[Record], data: Reading) -> LeaseBook:
        """The book after these records. Records of others, and malformed or erased ones, change nothing."""
        copies = {name: dict(getattr(state, name)) for name in _TABLES}
        book = LeaseBook(**copies, active=state.active, units=state.units)
        for record in records:
            if record.from_kernel:
                try:
                    if record.event.type in GENERATION_TOPICS:
                        _activated(book, _active(record, data))
                    # The abstract class is slow to ask.
                    elif type(said := data(record)) is dict or isinstance(said, Mapping):
                        _step(book, record.event.type, record.event.time, said)
                except JournalError:
                    continue
        return book

    def snapshot(self, state: LeaseBook) -> bytes:
        """The book as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> LeaseBook:
        """The book that :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=LeaseBook)

    def view(self, state: LeaseBook) -> object:
        """Grants with their state and the usage of the latest window; what waits; denials, the latest first."""
        grants = [_grant_view(state, grant) for grant in state.grants.values()]
        return {
            "grants": grants,
            "consents": [msgspec.to_builtins(one) for one in state.consents.values()],
            "quarantined": msgspec.to_builtins(state.quarantined),
            "denials": [msgspec.to_builtins(one) for one in reversed(state.denials.values())],
        }


class Budgets(Leases):
    """The read model ``budgets``: the same fold, seen as amounts."""

    name: str = "budgets"

    def view(self, state: LeaseBook) -> object:
        """Every standing grant that has a budget: bounds, what its latest window used and holds in reserve."""
        return [
            _budget_view(state, grant)
            for grant in state.grants.values()
            if grant.capability.budget and _state(state, grant) == "standing"
        ]


def _budget_view(state: LeaseBook, grant: Grant) -> dict[str, Any]:
    used = state.usage.get(grant.id, Usage())
    return {
        "grant": grant.id,
        "unit": grant.unit.id,
        "action": grant.capability.action,
        "resource": grant.capability.resource,
        "budget": msgspec.to_builtins(grant.capability.budget),
        "used": msgspec.to_builtins(used),
        "reserved": msgspec.to_builtins(used.merged(state.reserved.get(grant.id, Usage()))),
    }


def _step(state: LeaseBook, kind: str, time: str, data: Mapping[str, Any]) -> None:
    if kind in {"action.completed", "action.failed"}:  # nearly all there are
        _charged(state, time, data)
    elif kind in {"grant.given", "grant.delegated"}:
        _given(state, data)
    elif kind == "grant.revoked":
        revocation = Revocation(_text(data.get("reason")), _text(data.get("by")))
        state.revoked.setdefault(_text(data.get("id")), revocation)
    elif kind in {"lease.denied", "lease.exhausted"}:
        _denied(state, time, data)
    elif kind in {"lease.reserved", "lease.settled"}:
        _reserved(state, data)
    elif kind.startswith("consent."):
        _consent(state, kind, time, data)
    elif kind in {"unit.quarantined", "unit.released", "unit.withdrawn"}:
        _quarantine(state, kind, data)


def _active(record: Record, data: Reading) -> _Active:
    """What a generation makes active: nothing, where its record is malformed."""
    try:
        said: _Active = data(record, _Active)
    except msgspec.ValidationError:
        return _Active()
    return said


def _activated(state: LeaseBook, said: _Active) -> None:
    state.active = frozenset(said.grants)
    state.units = frozenset(unit.ref.digest for unit in said.generation.units)


def _quarantine(state: LeaseBook, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "unit.released":
        state.quarantined.pop(_text(data.get("publisher")), None)
    elif kind == "unit.quarantined" or data.get("kind") == "killed":
        whom = _text(data.get("publisher") or data.get("digest"))
        state.quarantined[whom] = Revocation(_text(data.get("reason")), _text(data.get("by") or data.get("principal")))


def _given(state: LeaseBook, data: Mapping[str, Any]) -> None:
    try:
        grant = msgspec.convert(data, Grant)
    except msgspec.ValidationError:
        return
    state.grants[grant.id] = grant
    if grant.parent:
        state.delegated[grant.id] = grant


def _reserved(state: LeaseBook, data: Mapping[str, Any]) -> None:
    """A reservation is a total of its window: the latest word holds, and a later window ends an earlier one."""
    try:
        usage = msgspec.convert(data.get("usage"), Usage)
    except msgspec.ValidationError:
        return
    grant_id = _text(data.get("grant"))
    before = state.reserved.get(grant_id)
    if before is None or usage.start_ms >= before.start_ms:
        state.reserved[grant_id] = usage


def _consent(state: LeaseBook, kind: str, time: str, data: Mapping[str, Any]) -> None:
    word = _CONSENT_STATES.get(kind)
    consent_id = data.get("id")
    if word is None or not isinstance(consent_id, str):
        return  # a consent that came with an apply is in its grant
    try:
        consent = msgspec.convert({**data, "state": word, "at": time}, Consent)
    except msgspec.ValidationError:
        return
    state.consents.pop(consent.id, None)
    state.consents[consent.id] = consent
    if len(state.consents) > _MAX_CONSENTS:
        waiting = (one.id for one in state.consents.values() if one.state != "given")
        del state.consents[next(waiting, next(iter(state.consents)))]


def _charged(state: LeaseBook, time: str, data: Mapping[str, Any]) -> None:
    charges = data.get("charges")
    if not isinstance(charges, Mapping):
        return
    at_ms = data.get("at_ms")
    if not isinstance(at_ms, int):
        at_ms = _unix_ms(time)
    for grant_id, amounts in charges.items():
        grant = state.grants.get(grant_id)
        budget = grant.capability.budget if grant else None
        if budget is None:
            continue
        try:
            charged = msgspec.convert(amounts, Amounts)
        except msgspec.ValidationError:
            continue
        if min(charged.calls, charged.bytes, charged.host_us, charged.fuel) >= 0:
            usage = state.usage.get(grant_id, Usage()).at(at_ms, budget.window_ms)
            state.usage[grant_id] = usage.charged(charged)


def _denied(state: LeaseBook, time: str, data: Mapping[str, Any]) -> None:
    unit, action, resource, code = (_text(data.get(name)) for name in ("unit", "action", "resource", "code"))
    key = f"{unit}\n{action}\n{resource}\n{code}"
    before = state.denials.pop(key, None)
    listed = data.get("policies")
    tries = data.get("tries")
    tries = tries if isinstance(tries, int) and tries > 0 else 1
    policies = tuple(_text(one) for one in listed[:16]) if isinstance(listed, list | tuple) else ()
    state.denials[key] = Denial(
        unit=unit,
        action=action,
        resource=resource,
        code=code,
        reason=_text(data.get("reason")),
        policies=policies,
        count=(before.count if before else 0) + tries,
        first=before.first if before else time,
        last=time,
    )
    if len(state.denials) > _MAX_DENIALS:
        del state.denials[next(iter(state.denials))]


def _grant_view(state: LeaseBook, grant: Grant) -> dict[str, Any]:
    revocation = state.revoked.get(grant.id)
    view: dict[str, Any] = {
        "id": grant.id,
        "unit": f"{grant.unit.id}@{grant.unit.version}",
        "digest": grant.unit.digest,
        "admission": grant.unit.admission,
        "action": grant.capability.action,
        "resource": grant.capability.resource,
        "envelope": grant.capability.envelope,
        "policies": list(grant.policies),
        "consent": grant.consent,
        "state": _state(state, grant),
    }
    if revocation:
        view["revoked"] = msgspec.to_builtins(revocation)
    usage, budget = state.usage.get(grant.id), grant.capability.budget
    if usage and budget:
        view["usage"] = msgspec.to_builtins(usage) | {"end_ms": usage.start_ms + budget.window_ms}
    return view


def _state(state: LeaseBook, grant: Grant) -> str:
    """A delegated grant is what the one it came from is, while its unit is active."""
    line = [grant]
    while line[-1].parent in state.grants and len(line) < _MAX_LINE:
        line.append(state.grants[line[-1].parent])
    if any(one.id in state.revoked for one in line):
        return "revoked"
    here = line[-1].id in state.active and all(one.unit.digest in state.units for one in line[:-1])
    return "standing" if here else "ended"


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _unix_ms(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp() * 1000)
    except ValueError:
        return 0
