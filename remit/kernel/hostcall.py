"""The one function through which every host call of every runner goes, and the answers that it gives.

A refusal is an answer that the guest sees. What must end the call (too many host calls, a fault of ours) is kept in
:attr:`Door.abort` and raised by the runner when the guest is stopped: exceptions never travel through a guest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from remit.errors import (
    EventInvalid,
    HostCallsExceeded,
    HostFault,
    QuotaExceeded,
    RemitError,
    SourceReserved,
    StateConflict,
)
from remit.kernel.answers import HostCall, Ok, Recorder, Refusal, Refused
from remit.kernel.model import Caller
from remit.kernel.scope import HostInterface, Scope

if TYPE_CHECKING:
    from remit.kernel.ports import Runner

__all__ = ["CancelToken", "Door", "HostCall", "Ok", "Recorder", "Recorders", "Refusal", "Refused"]

Recorders = Callable[[Scope, str, tuple[Any, ...]], Recorder | None]
"""Gives the recorder of a call of this export with these arguments, or ``None`` to take nothing down."""

_REFUSALS: tuple[tuple[type[RemitError], Refusal], ...] = (
    (StateConflict, "conflict"),
    (QuotaExceeded, "exhausted"),
    (SourceReserved, "denied"),
    (EventInvalid, "invalid"),
)


class Door:
    """The host calls of one call of one instance, counted, bounded, recorded. Implements ``ports.HostCalls``."""

    __slots__ = ("_instance", "_interfaces", "_limit", "_n", "_recorder", "_scope", "abort")

    def __init__(
        self, instance: str, scope: Scope, interfaces: Mapping[str, HostInterface], recorder: Recorder | None = None
    ) -> None:
        self._instance = instance
        self._scope = scope
        self._interfaces = interfaces
        self._recorder = recorder
        self._limit = scope.limits.host_calls  # read once: it is looked at in every host call
        self._n = 0
        self.abort: BaseException | None = None
        """Why the guest must be stopped now, or ``None``."""

    @property
    def partition(self) -> str:
        """The caller's namespace: what an instance remembers of one must not reach another."""
        return self._scope.caller.namespace

    @property
    def caller(self) -> Caller:
        """On whose behalf the call runs."""
        return self._scope.caller

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Ok | Refused:
        """Perform one host call. Never raises."""
        n = self._n = self._n + 1
        scope = self._scope
        answer: Ok | Refused
        if self.abort is not None:
            answer = Refused("unavailable", "the call is being stopped")
        elif n > self._limit:
            answer = self._stop(HostCallsExceeded(f"one call may make {self._limit} host calls"))
        else:
            try:
                perform = self._interfaces[interface].functions[function]
                if len(arguments) == 1:  # what is called with a star is never entered the short way
                    answer = perform(scope, arguments[0])
                else:
                    answer = perform(scope, *arguments) if arguments else perform(scope)
            except BaseException as error:  # noqa: BLE001 - kept, and raised by the runner once the guest has stopped
                answer = self._failed(interface, function, error)
        if scope.timed is not None:
            answer = self._timed(answer)
        if self._recorder is not None:
            self._recorder(HostCall(self._instance, n, interface, function, arguments, answer))
        return answer

    def _failed(self, interface: str, function: str, error: BaseException) -> Refused:
        if interface not in self._interfaces or function not in self._interfaces[interface].functions:
            return Refused("unavailable", f"this host does not offer {interface}.{function}")
        for kind, code in _REFUSALS:
            if isinstance(error, kind):
                return Refused(code, error.message)
        if isinstance(error, RemitError) or not isinstance(error, Exception):
            return self._stop(error)
        fault = HostFault(f"the host function {interface}.{function} failed: {type(error).__name__}")
        fault.__cause__ = error
        return self._stop(fault)

    def _timed(self, answer: Ok | Refused) -> Ok | Refused:
        try:
            self._scope.stop_timing()
        except BaseException as error:  # noqa: BLE001 - what cannot be charged must not go on; raised by the runner
            return self._stop(error)
        return answer

    def _stop(self, error: BaseException) -> Refused:
        self.abort = error
        return Refused("unavailable", "the call is being stopped")


class CancelToken:
    """Lets another thread stop a call, nested ones included."""

    __slots__ = ("_doors", "_runner", "cancelled")

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._doors: list[Door] = []
        self.cancelled = False
        """Whether somebody asked to stop."""

    def cancel(self) -> None:
        """Stop whatever runs under this token, now and later."""
        # A guest's door is there before the look at this, and this before the look at the doors: one sees the other.
        self.cancelled = True
        for door in list(self._doors):
            self._runner.cancel(door)

    def enter(self, door: Door) -> None:
        """A guest starts with this door."""
        self._doors.append(door)
        if self.cancelled:
            self._runner.cancel(door)

    def leave(self, door: Door) -> None:
        """The guest with this door has ended; the door leads back here, so that holding it would outlive the call."""
        self._doors.remove(door)
