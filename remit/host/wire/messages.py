"""The wire between a client and a home's kernel: JSON-RPC 2.0 messages, one a line, over an owner-only Unix socket.

Requests name an operation of the façade. Before an operation begins the kernel sends the notification ``accepted``, so
that a client whose kernel goes away knows whether it may simply ask the next one. ``progress`` notifications follow,
then the result or the error. Source: https://www.jsonrpc.org/specification.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from remit.errors import PeerRefused, ProtocolError
from remit.kernel.model import Caller

__all__ = ["Channel", "Message", "address", "peer_uid"]

_MAX_FRAME = 64 << 20
_MAX_PATH = 100
"""Unix socket addresses have 108 bytes on Linux, 104 elsewhere."""
_UCRED = struct.Struct("3i")


class Message(msgspec.Struct, omit_defaults=True):
    """A request, a notification (no id), or a response (no method)."""

    jsonrpc: str = msgspec.field(default="")
    id: Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)] | None = None
    method: str = ""
    params: dict[str, Any] = {}
    result: msgspec.Raw = msgspec.Raw(b"")
    error: dict[str, Any] = {}


class CallParams(msgspec.Struct, frozen=True):
    """The parameters of a request."""

    arguments: dict[str, Any]
    caller: Caller = Caller()


class Channel:
    """One side of a connection. Writing is safe from many threads; reading belongs to one."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb", buffering=1 << 16)
        self._writing = threading.Lock()
        self._decoder = msgspec.json.Decoder(Message)

    def send(self, message: Message) -> None:
        """Write one message.

        :raises ProtocolError: if it is too large, or holds what JSON cannot
        :raises OSError: if the other side is gone
        """
        message.jsonrpc = "2.0"
        try:
            data = msgspec.json.encode(message)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"the message is not JSON: {error}", remedy="pass plain JSON data") from error
        if len(data) >= _MAX_FRAME:
            raise ProtocolError(f"a message may have {_MAX_FRAME >> 20} MiB", remedy="ask for less at a time")
        with self._writing:
            self._socket.sendall(data + b"\n")

    def receive(self) -> Message | None:
        """Read one message; ``None`` when the other side closed.

        :raises ProtocolError: if what came is not a message
        :raises OSError: if the connection broke
        """
        line = self._reader.readline(_MAX_FRAME)
        if not line.endswith(b"\n"):
            if len(line) >= _MAX_FRAME:
                raise ProtocolError("the other side sent a message without end")
            return None
        try:
            return self._decoder.decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"the other side sent no JSON-RPC message: {error}") from error

    def hang_up(self) -> None:
        """End both directions; whoever is reading sees the end. :meth:`close` is the reader's."""
        with suppress(OSError):  # the other side was quicker
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both directions. Idempotent."""
        self.hang_up()
        self._reader.close()
        self._socket.close()


def peer_uid(connection: socket.socket) -> int:
    """The user behind the other end, as the system says (``SO_PEERCRED``, unix(7)).

    :raises PeerRefused: if the system cannot say
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # not Linux: the owner-only folder is the guard
        return os.geteuid()
    try:
        return int(_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))[1])
    except OSError as error:
        raise PeerRefused("the system does not say who is at the other end of the socket") from error


class address:  # noqa: N801 - reads as a word at its uses: ``with address(path) as where``
    """A bindable address of a socket file, however long its path is: long ones go through the folder's descriptor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < _MAX_PATH:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)
