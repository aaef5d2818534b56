"""The closed world: what language runtimes import from WASI 0.2 whether they use it or not, served empty by ourselves.

No byte of wasmtime's own WASI runs, so there is nothing to configure shut: no files, no sockets, no environment, no
input, output that goes nowhere (the last of stderr goes to the unit's log, since Python prints tracebacks there).
Clocks and randomness come through the same door as the unit's own host calls, and sleeping ends with the call's
deadline. A function that is not in the table cannot be reached with the resources that are given out here; calling it
stops the guest.
Source: https://github.com/WebAssembly/WASI/tree/main/wasip2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from remit.errors import GuestTrapped, HostCallsExceeded
from remit.sandbox.wit.types import (
    BOOL,
    STRING,
    U8,
    U32,
    U64,
    Borrow,
    Enum,
    ListOf,
    Option,
    Own,
    Record,
    Result,
    Signature,
    TupleOf,
    Type,
    Variant,
)

__all__ = ["FUNCTIONS", "RESOURCES", "ClosedWorld", "Surroundings"]

_KEPT_STDERR = 32 << 10
_MAX_RANDOM = 64 << 10
_WRITABLE = 64 << 10
_MAX_HANDLES = 10_000
_STDERR = 2


class Surroundings(Protocol):
    """What the closed world needs of the call that it belongs to."""

    def ask(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """A host function's value; a refusal stops the guest."""
        ...

    def sleep(self, duration_ns: int) -> None:
        """Wait, no longer than the call may live."""
        ...


class ClosedWorld:
    """One call's streams and pollables. A pollable is its index in ``_due``; the first is always ready."""

    def __init__(self, around: Surroundings, *, pure: bool = False) -> None:
        """Make one.

        :param pure: time stands still and randomness is the same for every call, as a pure function needs it: runtimes
            seed themselves at start, so refusing would refuse the language
        """
        self._around = around
        self._pure = pure
        self._drawn = 0
        self._due: list[int] = [0]
        self._handles = 0
        self._stderr = bytearray()

    def belong_to(self, around: Surroundings) -> None:
        """Serve this call from now on: an instance that is kept has one after the other."""
        if self._around is not around:
            self._around = around
            self._handles = 0

    @property
    def worn(self) -> bool:
        """Whether more pollables were made than an instance should remember."""
        return len(self._due) > _MAX_HANDLES

    def take_stderr(self) -> list[str]:
        """The last lines that the guest wrote to stderr since they were taken."""
        if not self._stderr:
            return []
        lines = [line for line in self._stderr.decode(errors="replace").splitlines() if line.strip()]
        self._stderr.clear()
        return lines

    def _given(self, handle: int) -> int:
        self._handles += 1
        if self._handles > _MAX_HANDLES:
            raise HostCallsExceeded(f"the guest opened more than {_MAX_HANDLES} WASI handles in one call")
        return handle

    # ---- clocks ----

    def now(self) -> int:
        """wasi:clocks/monotonic-clock: now."""
        return 0 if self._pure else int(self._around.ask("clock", "monotonic-ns", ()))

    def wall(self) -> dict[str, int]:
        """wasi:clocks/wall-clock: now."""
        seconds, rest = divmod(0 if self._pure else int(self._around.ask("clock", "now-ms", ())), 1000)
        return {"seconds": seconds, "nanoseconds": rest * 1_000_000}

    def at(self, when: int) -> int:
        """wasi:clocks/monotonic-clock: subscribe-instant."""
        self._due.append(when)
        return self._given(len(self._due) - 1)

    def after(self, duration: int) -> int:
        """wasi:clocks/monotonic-clock: subscribe-duration."""
        return self.at(self.now() + duration)

    # ---- polling ----

    def poll(self, pollables: list[int]) -> list[int]:
        """wasi:io/poll: poll. Waits for the first that is due; reads the clock once at most, so a replay ends too."""
        if not pollables:
            raise GuestTrapped("the guest polled nothing")
        due = [self._when(pollable) for pollable in pollables]
        first = min(due)
        horizon = self.now() if first else 0
        if first > horizon:
            self._around.sleep(0 if self._pure else first - horizon)
            horizon = first
        return [index for index, when in enumerate(due) if when <= horizon]

    def ready(self, pollable: int) -> bool:
        """wasi:io/poll: [method]pollable.ready."""
        when = self._when(pollable)
        return when == 0 or when <= self.now()

    def _when(self, pollable: int) -> int:
        if pollable >= len(self._due):
            raise GuestTrapped("the guest polled a handle that is no pollable")
        return self._due[pollable]

    def block(self, pollable: int) -> None:
        """wasi:io/poll: [method]pollable.block."""
        self.poll([pollable])

    # ---- streams and randomness ----

    def stream(self, handle: int) -> int:
        """A standard stream, or a pollable that is always ready (0)."""
        return self._given(handle)

    def write(self, stream: int, data: bytes) -> tuple[str, None]:
        """wasi:io/streams: every way of writing bytes."""
        if stream == _STDERR:
            self._stderr += data
            del self._stderr[:-_KEPT_STDERR]
        return ("ok", None)

    def random(self, count: int) -> bytes:
        """wasi:random: get-random-bytes."""
        if count > _MAX_RANDOM:
            raise GuestTrapped(f"the guest asked for {count} random bytes at once; {_MAX_RANDOM} is the most")
        if self._pure:
            self._drawn += 1
            return hashlib.shake_128(self._drawn.to_bytes(8, "big")).digest(count)
        return bytes.fromhex(self._around.ask("random", "hex", (count,))) if count else b""

    def random_u64(self) -> int:
        """wasi:random: get-random-u64."""
        return int.from_bytes(self.random(8), "little")


def _leave(_world: ClosedWorld, *_status: Any) -> None:
    raise GuestTrapped("the guest ended its process", remedy="return an error instead of exiting")


Serve = Callable[..., Any]
_POLLABLE = Own("pollable")
_IN, _OUT = Borrow("input-stream"), Borrow("output-stream")
_STREAM_ERROR = Variant((("last-operation-failed", Own("error")), ("closed", None)))
_DATETIME = Record((("seconds", U64), ("nanoseconds", U32)))
_BYTES = ListOf(U8)
_DESCRIPTORS = ListOf(TupleOf((Own("descriptor"), STRING)))
_SOCKET_ERROR = Enum(("unknown", "access-denied"))
_DENIED = ("err", "access-denied")
_CLOSED = ("err", ("closed", None))


def _streamed(ok: Type | None) -> Result:
    return Result(ok, _STREAM_ERROR)


def _answer(value: Any) -> Serve:
    return lambda _world, *_arguments: value


def _stream(handle: int) -> Serve:
    return lambda world, *_arguments: world.stream(handle)


_READ = (Signature((_IN, U64), _streamed(_BYTES)), _answer(_CLOSED))
_SKIP = (Signature((_IN, U64), _streamed(U64)), _answer(_CLOSED))
_WRITE = (Signature((_OUT, _BYTES), _streamed(None)), ClosedWorld.write)
_FLUSH = (Signature((_OUT,), _streamed(None)), _answer(("ok", None)))
_ZEROES = (Signature((_OUT, U64), _streamed(None)), _answer(("ok", None)))
_RANDOM = (Signature((U64,), _BYTES), ClosedWorld.random)
_RANDOM_U64 = (Signature((), U64), ClosedWorld.random_u64)

RESOURCES: Final = (
    "pollable", "error", "input-stream", "output-stream", "terminal-input", "terminal-output", "descriptor",
    "directory-entry-stream", "network", "tcp-socket", "udp-socket", "incoming-datagram-stream",
    "outgoing-datagram-stream", "resolve-address-stream",
)  # fmt: skip
"""Every resource of the closed world; its index is its type for wasmtime."""

FUNCTIONS: Final[Mapping[str, Mapping[str, tuple[Signature, Serve]]]] = {
    "wasi:cli/environment": {
        "get-environment": (Signature((), ListOf(TupleOf((STRING, STRING)))), _answer(())),
        "get-arguments": (Signature((), ListOf(STRING)), _answer(())),
        "initial-cwd": (Signature((), Option(STRING)), _answer(None)),
    },
    "wasi:cli/exit": {
        "exit": (Signature((Result(None, None),)), _leave),
        "exit-with-code": (Signature((U8,)), _leave),
    },
    "wasi:cli/stdin": {"get-stdin": (Signature((), Own("input-stream")), _stream(0))},
    "wasi:cli/stdout": {"get-stdout": (Signature((), Own("output-stream")), _stream(1))},
    "wasi:cli/stderr": {"get-stderr": (Signature((), Own("output-stream")), _stream(_STDERR))},
    "wasi:cli/terminal-stdin": {"get-terminal-stdin": (Signature((), Option(Own("terminal-input"))), _answer(None))},
    "wasi:cli/terminal-stdout": {"get-terminal-stdout": (Signature((), Option(Own("terminal-output"))), _answer(None))},
    "wasi:cli/terminal-stderr": {"get-terminal-stderr": (Signature((), Option(Own("terminal-output"))), _answer(None))},
    "wasi:clocks/monotonic-clock": {
        "now": (Signature((), U64), ClosedWorld.now),
        "resolution": (Signature((), U64), _answer(1_000_000)),
        "subscribe-instant": (Signature((U64,), _POLLABLE), ClosedWorld.at),
        "subscribe-duration": (Signature((U64,), _POLLABLE), ClosedWorld.after),
    },
    "wasi:clocks/wall-clock": {
        "now": (Signature((), _DATETIME), ClosedWorld.wall),
        "resolution": (Signature((), _DATETIME), _answer({"seconds": 0, "nanoseconds": 1_000_000})),
    },
    "wasi:filesystem/preopens": {"get-directories": (Signature((), _DESCRIPTORS), _answer(()))},
    "wasi:io/poll": {
        "poll": (Signature((ListOf(Borrow("pollable")),), ListOf(U32)), ClosedWorld.poll),
        "[method]pollable.ready": (Signature((Borrow("pollable"),), BOOL), ClosedWorld.ready),
        "[method]pollable.block": (Signature((Borrow("pollable"),)), ClosedWorld.block),
    },
    "wasi:io/streams": {
        "[method]input-stream.read": _READ,
        "[method]input-stream.blocking-read": _READ,
        "[method]input-stream.skip": _SKIP,
        "[method]input-stream.blocking-skip": _SKIP,
        "[method]input-stream.subscribe": (Signature((_IN,), _POLLABLE), _stream(0)),
        "[method]output-stream.check-write": (Signature((_OUT,), _streamed(U64)), _answer(("ok", _WRITABLE))),
        "[method]output-stream.write": _WRITE,
        "[method]output-stream.blocking-write-and-flush": _WRITE,
        "[method]output-stream.flush": _FLUSH,
        "[method]output-stream.blocking-flush": _FLUSH,
        "[method]output-stream.subscribe": (Signature((_OUT,), _POLLABLE), _stream(0)),
        "[method]output-stream.write-zeroes": _ZEROES,
        "[method]output-stream.blocking-write-zeroes-and-flush": _ZEROES,
    },
    "wasi:random/random": {"get-random-bytes": _RANDOM, "get-random-u64": _RANDOM_U64},
    "wasi:random/insecure": {"get-insecure-random-bytes": _RANDOM, "get-insecure-random-u64": _RANDOM_U64},
    "wasi:random/insecure-seed": {
        "insecure-seed": (
            Signature((), TupleOf((U64, U64))),
            lambda world: (world.random_u64(), world.random_u64()),
        )
    },
    "wasi:sockets/instance-network": {"instance-network": (Signature((), Own("network")), _stream(0))},
    "wasi:sockets/ip-name-lookup": {
        "resolve-addresses": (
            Signature((Borrow("network"), STRING), Result(Own("resolve-address-stream"), _SOCKET_ERROR)),
            _answer(_DENIED),
        )
    },
    "wasi:sockets/tcp-create-socket": {
        "create-tcp-socket": (
            Signature((Enum(("ipv4", "ipv6")),), Result(Own("tcp-socket"), _SOCKET_ERROR)),
            _answer(_DENIED),
        )
    },
    "wasi:sockets/udp-create-socket": {
        "create-udp-socket": (
            Signature((Enum(("ipv4", "ipv6")),), Result(Own("udp-socket"), _SOCKET_ERROR)),
            _answer(_DENIED),
        )
    },
}
"""What the closed world answers, by interface (without its version) and function."""
