"""A call, simulated: its authority is a set, its effects a dict, its ledger a list; and servers on loopback."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from remit.errors import LeaseDenied, LeaseExhausted, QuotaExceeded, StateConflict
from remit.kernel.model import Caller, Capability, Decision, Grant, Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.kernel.scope import Scope
from remit.sandbox.interfaces import all_interfaces

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
COUNTER = itertools.count()
HOME = SimpleNamespace(config=SimpleNamespace(secrets={}), root=None)


@dataclass
class SimulatedAuthority:
    granted: set[tuple[str, str]] = field(default_factory=set)
    reachable: set[str] = field(default_factory=set)
    exhausted: bool = False
    bytes_left: int | None = None
    used: list[tuple[str, str, str, int]] = field(default_factory=list)

    def use(self, unit, action, resource, method="", calls=1, nbytes=0):
        del calls
        self.used.append((action, resource, method, nbytes))
        if self.exhausted or (self.bytes_left is not None and nbytes > self.bytes_left):
            raise LeaseExhausted("used up")
        if self.bytes_left is not None:
            self.bytes_left -= nbytes
        if (action, resource) not in self.granted:
            raise LeaseDenied("no grant", policies=["p1"])
        return Grant("g1", unit, Capability(action, resource), ("p2",))

    def reach(self, _grant, _origin, special):
        return Decision("allow", ("p3",)) if special in self.reachable else Decision("deny", ("p4",), "no")


@dataclass
class SimulatedEffects:
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    emitted: list[tuple[str, str, str]] = field(default_factory=list)
    quota: int = 1 << 30

    def get(self, key):
        return self.rows.get(key)

    def put(self, key, value, expected):
        _, version = self.rows.get(key, ("", 0))
        if expected not in (None, version):
            raise StateConflict("another version")
        if len(value) > self.quota:
            raise QuotaExceeded("full")
        self.rows[key] = (value, version + 1)
        return version + 1

    def delete(self, key):
        return self.rows.pop(key, None) is not None

    def list(self, prefix, after, limit):
        return sorted(key for key in self.rows if key.startswith(prefix) and key > after)[:limit]

    def emit(self, topic, content_type, data):
        if len(data) > self.quota:
            raise QuotaExceeded("full")
        self.emitted.append((topic, content_type, data))
        return "id-1"


def make_scope(call_action=None, clock=None, deadline_ms=5_000, **limits) -> Scope:
    clock = clock or SystemClock()
    made = Scope(
        program=Program(UNIT, "sha256:" + "1" * 64, "tool", Limits(**limits), frozenset()),
        caller=Caller(),
        parameters='{"mask":"x"}',
        authority=SimulatedAuthority(),
        effects=lambda _scope: SimulatedEffects(),
        clock=clock,
        ids=SimpleNamespace(
            random=lambda count: bytes(range(256))[:count] if count < 256 else bytes(count),
            new=lambda: f"id-{next(COUNTER)}",
        ),
        deadline_ns=clock.monotonic_ns() + deadline_ms * 1_000_000,
        call_action=call_action,
    )
    ledger = Ledger()
    made.record = ledger
    return made


@dataclass
class Ledger:
    """What was journalled in the middle of the call, and whether the call waited for it."""

    entries: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)

    def __call__(self, draft, wait):
        self.entries.append((draft.type, draft.data | ({"id": draft.id} if draft.id else {}), wait))

    def of(self, kind):
        return [data for name, data, _ in self.entries if name == kind]


@pytest.fixture
def scope() -> Scope:
    return make_scope()


@pytest.fixture
def new_scope():
    return make_scope


@pytest.fixture
def ask():
    """Perform a host call by name, in a home and with a resolver of the test's own where it has them."""

    def perform(scope, name, *arguments, home=HOME, resolver=None):
        interface, _, function = name.partition(".")
        return all_interfaces(home, resolver)[interface].functions[function](scope, *arguments)

    return perform


# ---- servers ----

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class LoopbackServer:
    """Answers each connection with the next of ``answers`` (the last one again and again), and keeps the requests.

    An answer is bytes, or a callable that gets the connection and the request and may do anything with it.
    """

    def __init__(self, *answers: bytes | Callable[[socket.socket, bytes], None], tls: ssl.SSLContext | None = None):
        self.answers = list(answers) or [OK]
        self.requests: list[bytes] = []
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        # Whoever asked may hang up in the middle: that is what most of these tests are about.
        with contextlib.suppress(OSError), plain:
            plain.settimeout(10)
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with connection:
                request = _read(connection)
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer(connection, request)
                else:
                    connection.sendall(answer)

    def drip(self, first: bytes, piece: bytes, every: float = 0.01) -> Callable[[socket.socket, bytes], None]:
        """An answer that never ends."""

        def answer(connection: socket.socket, _request: bytes) -> None:
            connection.sendall(first)
            while not self._stopped.wait(every):
                connection.sendall(piece)

        return answer

    def close(self) -> None:
        self._stopped.set()
        # A thread in accept() keeps a socket open that was only closed.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serving() -> Iterator[Callable[..., Any]]:
    """Starts servers on loopback; they stop with the test."""
    with contextlib.ExitStack() as stack:

        def start(*answers: Any, tls: ssl.SSLContext | None = None) -> LoopbackServer:
            server = LoopbackServer(*answers, tls=tls)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def granting(new_scope):
    """A call of a unit that may reach these origins, and loopback."""

    def grant(*origins, **options):
        scope = new_scope(**options)
        scope.authority.granted.update(("net:http", origin) for origin in origins)
        scope.authority.reachable.add("loopback")
        return scope

    return grant
