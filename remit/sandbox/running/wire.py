"""What a worker process and its kernel say to each other: length-prefixed MessagePack over a socket pair.

The kernel believes a worker no more than it would a guest: sizes are bounded, every message has a type, and what a
worker asks goes through the same door.
"""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from remit.errors import HostFault
from remit.kernel.model import GuestOutcome, Program

__all__ = ["Answer", "Ask", "Channel", "Closed", "Done", "Failed", "Run", "Start"]

_MOST = 64 << 20
_HEAD = 4


class Start(msgspec.Struct, frozen=True, tag=True):
    """Kernel to worker, once: where the compiled code lies, and the secret of its seals."""

    cache: str
    key: bytes


class Run(msgspec.Struct, frozen=True, tag=True):
    """Kernel to worker: run an export."""

    program: Program
    export: str
    arguments: tuple[Any, ...]
    deadline_ms: int
    partition: str


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Worker to kernel: a host call."""

    interface: str
    function: str
    arguments: tuple[Any, ...]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Kernel to worker: what the door answered; ``refusal`` is "" where it did it, ``abort`` ends the guest."""

    value: Any = None
    refusal: str = ""
    message: str = ""
    abort: bool = False


class Done(msgspec.Struct, frozen=True, tag=True):
    """Worker to kernel: the guest returned."""

    outcome: GuestOutcome


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Worker to kernel: it did not; the error as data."""

    error: dict[str, Any]


class Closed(Exception):  # noqa: N818 - what happened
    """The other end is gone."""


class Channel:
    """One end. ``kinds`` is the union of what the other end may say."""

    def __init__(self, end: socket.socket, kinds: Any) -> None:
        self._end = end
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kinds)

    def send(self, message: msgspec.Struct) -> None:
        """Say something.

        :raises Closed: if nobody listens any more
        :raises HostFault: if it is too long
        """
        data = msgspec.msgpack.encode(message)
        if len(data) > _MOST:
            raise HostFault(f"a message of {len(data)} bytes is too long for a worker")
        try:
            self._end.sendall(len(data).to_bytes(_HEAD) + data)
        except OSError as error:
            raise Closed from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """What the other end says next.

        :raises Closed: if it is gone, or says what it must not
        :raises TimeoutError: if it says nothing for so many seconds
        """
        self._end.settimeout(timeout_s)
        size = int.from_bytes(self._exactly(_HEAD))
        if size > _MOST:
            raise Closed
        try:
            return self._decoder.decode(self._exactly(size))
        except msgspec.DecodeError as error:
            raise Closed from error

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                part = self._end.recv(min(count - len(data), 1 << 20))
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed from error
            if not part:
                raise Closed
            data += part
        return bytes(data)

    def close(self) -> None:
        """Hang up."""
        self._end.close()
