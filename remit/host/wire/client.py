"""The client of a home whose kernel is another process: sends each operation over the socket, waits for its answer."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import msgspec

from remit.errors import ConnectionLost, PeerRefused, ProtocolError, RemitError, from_dict
from remit.host.facade.facade import Facade
from remit.host.home.home import Home
from remit.host.typeinfo import make_ready
from remit.host.wire.messages import Channel, Message, address, peer_uid
from remit.journal import Progress
from remit.kernel.model import Caller
from remit.kernel.outcome import Outcome
from remit.sandbox.running.aside import aside
from remit.schemas.release import VERSION

__all__ = ["Client", "NotPerformed"]

T = TypeVar("T")
_LOCAL = Caller()
_THREADS = 32


class NotPerformed(ConnectionLost):
    """The kernel went away before it began: the operation may be asked of the next one."""


class Client(Facade):
    """A façade over the socket. Each thread has a connection of its own, so that one may wait while others work."""

    def __init__(self, home: Home) -> None:
        """Connect to the home's kernel.

        :raises OSError: if nobody listens
        :raises PeerRefused: if the listener is another user's
        :raises ProtocolError: if it is another version of remit
        """
        self._path = home.private / "kernel.sock"
        self._local = threading.local()
        self._channels: set[Channel] = set()
        self._closed = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="remit-client")
        make_ready()
        self._channel()

    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Send one operation and wait for its answer.

        :raises NotPerformed: if the kernel went away before it began
        :raises ConnectionLost: if it went away in the middle
        """
        try:
            channel = self._channel()
        except OSError as error:
            raise NotPerformed("the home's kernel went away") from error
        params = {"arguments": msgspec.to_builtins(arguments), "caller": msgspec.to_builtins(caller)}
        try:
            answer = self._exchange(channel, Message(id=1, method=operation, params=params), progress)
        except BaseException:
            # Whatever interrupted the exchange, later answers on this connection would be out of step.
            self._drop(channel)
            raise
        if isinstance(answer, RemitError):
            raise answer
        return msgspec.json.decode(answer, type=result)

    async def acall_text(
        self,
        action: str,
        text: str,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Outcome:
        """See the façade. Each call has a connection of its own: hanging up is what stops its guest."""
        stopped = threading.Event()
        channels: list[Channel] = []

        def work() -> Outcome:
            self._local.channel = None
            try:
                channels.append(self._channel())
                if stopped.is_set():
                    raise NotPerformed("the call was cancelled before it began")
                return self.call_text(action, text, durability=durability, caller=caller)
            finally:
                for channel in channels:
                    self._drop(channel)

        def cancel() -> None:
            stopped.set()
            for channel in channels:
                channel.hang_up()

        return await aside(work, pool=self._pool, cancel=cancel)

    def _exchange(self, channel: Channel, request: Message, progress: Progress) -> bytes | RemitError:
        accepted = False
        try:
            channel.send(request)
            while (message := channel.receive()) is not None:
                if message.method == "progress":
                    progress(str(message.params["stage"]), float(message.params["share"]))
                elif message.method == "accepted":
                    accepted = True
                elif message.error:
                    return from_dict(message.error.get("data", {}))
                elif message.id == request.id:
                    return bytes(message.result)
        except (OSError, ValueError) as error:
            raise _lost(request.method, begun=accepted) from error
        raise _lost(request.method, begun=accepted)

    def _channel(self) -> Channel:
        if self._closed:
            raise NotPerformed("this client is closed", remedy="connect again")
        channel: Channel | None = getattr(self._local, "channel", None)
        if channel is None:
            channel = self._connect()
            self._local.channel = channel
            self._channels.add(channel)
        return channel

    def _connect(self) -> Channel:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address(self._path) as where:
                connection.connect(where)
            _refuse_strangers(connection)
        except BaseException:
            connection.close()
            raise
        channel = Channel(connection)
        try:
            _greet(channel)
        except BaseException:
            channel.close()
            raise
        return channel

    def _drop(self, channel: Channel) -> None:
        self._local.channel = None
        self._channels.discard(channel)
        channel.close()

    def close(self) -> None:
        """Hang up. Idempotent; the kernel goes on."""
        self._closed = True
        while self._channels:
            self._channels.pop().close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _refuse_strangers(connection: socket.socket) -> None:
    if peer_uid(connection) not in {os.geteuid(), 0}:
        raise PeerRefused("the listener on the home's socket belongs to another user")


def _lost(operation: str, *, begun: bool) -> ConnectionLost:
    if begun:
        return ConnectionLost(f"the home's kernel went away in the middle of {operation}")
    return NotPerformed(f"the home's kernel went away before {operation} began")


def _greet(channel: Channel) -> None:
    channel.send(Message(id=0, method="hello"))
    while (message := channel.receive()) is not None:
        if message.id == 0:
            version = msgspec.json.decode(message.result).get("version")
            if version != VERSION:
                raise ProtocolError(f"the home's kernel is remit {version}, this is {VERSION}")
            return
    raise ConnectionRefusedError("the kernel hung up")
