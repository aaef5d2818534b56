"""What the host answers to a guest, it did it or it refused; and a host call as a recorder sees it. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from remit.kernel.model import GuestOutcome

__all__ = ["HostCall", "Ok", "Recorder", "Refusal", "Refused"]

Refusal = Literal["denied", "exhausted", "not-found", "conflict", "invalid", "unavailable", "timed-out"]


class Ok(msgspec.Struct, frozen=True, gc=False):
    """The host did it; ``value`` is the function's result in plain Python. Never part of a circle."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The host did not do it: the WIT's ``host-error``. A refusal is an answer, never a trap.

    Every host call asks whether it got one: of a ``Struct``, that takes four times as long to say.
    """

    code: Refusal
    message: str


class HostCall(NamedTuple):
    """One host call, as a recorder sees it: enough to answer it again in a replay."""

    instance: str
    n: int
    interface: str
    function: str
    arguments: tuple[Any, ...]
    answer: Ok | Refused


class Recorder(Protocol):
    """Takes down one call of a guest."""

    outcome: GuestOutcome | None
    """What the guest answered; ``None`` if it was stopped."""

    def __call__(self, call: HostCall) -> None:
        """A host call was answered."""
        ...

    def transcript(self) -> bytes:
        """All that was taken down."""
        ...
