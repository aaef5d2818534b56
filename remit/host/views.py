"""What operations give back, where no room's own type fits."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from remit.kernel.model import UnitRef

__all__ = ["Entry", "HomeView", "LeaseView", "plain"]


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
