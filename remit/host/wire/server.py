"""The kernel's end of the home's socket: accepts the owner's clients, performs their operations, streams progress.

Nothing is decided here: every request goes to the same ``perform`` that a call in process uses.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from remit.errors import PeerRefused, ProtocolError, RemitError
from remit.host.wire.messages import CallParams, Channel, Message, address, peer_uid
from remit.journal import Progress, translate_os_error
from remit.kernel.dispatch import CancelToken
from remit.kernel.model import Caller
from remit.schemas.release import VERSION

__all__ = ["Server"]

_log = logging.getLogger(__name__)
_TIMEVAL = struct.Struct("@ll")
_MOST_CONNECTIONS = 64
_MOST_REQUESTS = 32
_PAUSE_S = 0.05
_SEND_TIMEOUT_S = 10
_WAITING = frozenset({"events", "receive", "take"})


class Perform(Protocol):
    """What the server asks for each request; gives JSON-able data."""

    def __call__(
        self, operation: str, arguments: dict[str, Any], caller: Caller, progress: Progress, token: CancelToken
    ) -> Any:
        """Perform one operation with arguments that came as JSON."""
        ...


class Server:
    """Listens on a socket file in an owner-only folder. The caller holds the home's lock."""

    def __init__(self, path: Path, perform: Perform, token: Callable[[], CancelToken]) -> None:
        """Replace a stale socket and listen.

        :raises HomeReadOnly: if the socket cannot be made
        """
        self._path = path
        self._perform = perform
        self._token = token
        self._pool = ThreadPoolExecutor(_MOST_REQUESTS, thread_name_prefix="remit-request")
        self._sessions: set[_Session] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._busy = 0
        self._idle = threading.Condition()
        self._pause = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            with address(path) as where:
                self._listener.bind(where)
            path.chmod(0o600)
            self._listener.listen(_MOST_CONNECTIONS)
        except OSError as error:
            self._listener.close()
            raise translate_os_error(error, "opening the home's socket") from error
        threading.Thread(target=self._accept, name="remit-socket", daemon=True).start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                # Too many open files, or a client that hung up at once: neither ends the service.
                self._pause.wait(_PAUSE_S)
                continue
            number += 1
            self._admit(connection, f"{os.getpid()}-{number}")

    def _admit(self, connection: socket.socket, client: str) -> None:
        try:
            uid = peer_uid(connection)
        except PeerRefused:
            uid = -1
        with self._lock:
            if self._closing or len(self._sessions) >= _MOST_CONNECTIONS or uid not in {os.geteuid(), 0}:
                connection.close()
                return
            # A client that does not read must not keep a thread, or the kernel from closing.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(_SEND_TIMEOUT_S, 0))
            session = _Session(Channel(connection), client, self)
            self._sessions.add(session)
        threading.Thread(target=session.serve, name=f"remit-client-{client}", daemon=True).start()

    def submit(self, session: _Session, message: Message, token: CancelToken) -> None:
        """Perform a request on a thread of the pool, unless the server is closing."""
        with self._lock:
            if self._closing:
                return
            self._pool.submit(self._answer, session, message, token)

    def token(self) -> CancelToken:
        """A token for one request."""
        return self._token()

    def _answer(self, session: _Session, message: Message, token: CancelToken) -> None:
        def progress(stage: str, share: float) -> None:
            session.send(Message(method="progress", params={"id": message.id, "stage": stage, "share": share}))

        session.send(Message(method="accepted", params={"id": message.id}))
        try:
            with self._at_work(message.method):
                result = self._dispatch(message, session.client, progress, token)
            answer = Message(id=message.id, result=msgspec.Raw(msgspec.json.encode(result)))
        except RemitError as error:
            answer = _error(message, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours: the client gets no traceback, the log does
            _log.exception("operation %s failed", message.method)
            answer = _error(message, RemitError(f"the kernel failed in {message.method}: {type(error).__name__}"))
        # Before the answer goes out: a client that has it may use the same id for its next request at once.
        session.done(message)
        try:
            session.send(answer)
        except ProtocolError as error:
            session.send(_error(message, error))

    def _dispatch(self, message: Message, client: str, progress: Progress, token: CancelToken) -> Any:
        if message.method == "hello":
            return {"version": VERSION, "pid": os.getpid()}
        try:
            params = msgspec.convert(message.params, CallParams)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"the request's parameters are malformed: {error}") from error
        caller = msgspec.structs.replace(params.caller, client=client, chain=(), hops=min(params.caller.hops, 8))
        return self._perform(message.method, params.arguments, caller, progress, token)

    @contextmanager
    def _at_work(self, operation: str) -> Iterator[None]:
        works = operation not in _WAITING  # who waits for events will ask the next kernel
        with self._idle:
            self._busy += works
        try:
            yield
        finally:
            with self._idle:
                self._busy -= works
                self._idle.notify_all()

    def linger(self, seconds: float) -> None:
        """Serve on until nobody is in the middle of an operation, so that a leaving kernel locks nobody out.

        What is not done after so many seconds is cancelled.
        """
        with self._idle:
            if self._idle.wait_for(lambda: self._busy == 0, seconds):
                return
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.stop()

    def forget(self, session: _Session) -> None:
        """A client went away."""
        with self._lock:
            self._sessions.discard(session)

    def close(self) -> None:
        """Take no more, finish what was accepted, then hang up. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            sessions = list(self._sessions)
        self._pause.set()
        self._path.unlink(missing_ok=True)
        # Closing alone does not wake a thread in accept().
        with suppress(OSError):  # some systems refuse that on a listener
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._pool.shutdown(wait=True)
        for session in sessions:
            session.channel.close()


class _Session:
    """One client's connection."""

    def __init__(self, channel: Channel, client: str, server: Server) -> None:
        self.channel = channel
        self.client = client
        self._server = server
        self._running: dict[int, CancelToken] = {}

    def serve(self) -> None:
        """Read requests until the client goes; then stop what it was waiting for."""
        try:
            while (message := self.channel.receive()) is not None:
                self._take(message)
        except (OSError, ValueError, ProtocolError) as error:
            _log.debug("client %s: %s", self.client, error)
        finally:
            self.stop()
            self._server.forget(self)
            self.channel.close()

    def stop(self) -> None:
        """Cancel what this client waits for."""
        for token in list(self._running.values()):
            token.cancel()

    def _take(self, message: Message) -> None:
        if message.method == "cancel":
            number = message.params.get("id")
            token = self._running.get(number) if isinstance(number, int) else None
            if token is not None:
                token.cancel()
        elif self._admits(message) and message.id is not None:
            token = self._server.token()
            self._running[message.id] = token
            self._server.submit(self, message, token)
        else:
            self.send(_error(message, ProtocolError("this is no request, or too many are under way")))

    def _admits(self, message: Message) -> bool:
        return bool(message.method) and message.id not in self._running and len(self._running) < _MOST_REQUESTS

    def send(self, message: Message) -> None:
        """Write, unless the client is gone or has stopped reading: then nobody waits for it."""
        try:
            self.channel.send(message)
        except (OSError, ValueError):
            self.channel.hang_up()  # half a message may have gone: nothing can follow it

    def done(self, message: Message) -> None:
        """A request was answered."""
        if message.id is not None:
            self._running.pop(message.id, None)


def _error(message: Message, error: RemitError) -> Message:
    return Message(id=message.id, error={"code": -32000, "message": error.message, "data": error.as_dict()})
