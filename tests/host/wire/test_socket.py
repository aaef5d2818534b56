"""The socket lets in whom it should: who calls is what the kernel knows of them, and nobody else gets in."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from remit.errors import PeerRefused, ProtocolError, SourceReserved
from remit.host import Client, Home, Kernel
from remit.host.wire import messages
from tests.host.processes import ROOT
from tests.host.talking import ask, connect


def test_who_calls_is_said_by_the_kernel_and_not_by_the_client(serving):
    kernel, home = serving
    caller = {
        "client": "evil",
        "chain": [unit.ref.digest for unit in kernel.units()],
        "hops": 10**6,
        "principal": "local",
    }
    answer = ask(
        home,
        "emit",
        {"arguments": {"topic": "who.am_i", "data": None, "reply_to": "", "priority": 0}, "caller": caller},
    )
    source = answer["result"]["event"]["source"]
    assert source.startswith(f"//{kernel.home().id}/client/{os.getpid()}-")
    # A chain that the client could set would make the unit refuse itself.
    arguments = {"action": "acme/echo:echo", "text": "{}", "durability": "committed"}
    assert ask(home, "call", {"arguments": arguments, "caller": caller})["result"]["output"] == {}


@pytest.mark.parametrize("topic", ["lease.given", "unit.applied", "action.completed", "grant.revoked", "home.created"])
def test_a_client_cannot_speak_for_the_kernel_and_no_model_moves(serving, topic):
    kernel, home = serving
    before = {model: kernel.state(model) for model in kernel.models()}
    head = kernel.home().head
    forged = {"id": "x", "units": [], "grants": [], "number": 99}
    answer = ask(home, "emit", {"arguments": {"topic": topic, "data": forged, "reply_to": "", "priority": 0}})
    assert answer["error"]["data"]["code"] == SourceReserved.code
    with pytest.raises(SourceReserved):
        kernel.emit(topic, forged)
    assert kernel.home().head == head
    assert {model: kernel.state(model) for model in kernel.models()} == before


def test_a_client_that_does_not_read_does_not_keep_the_kernel(active_home, monkeypatch):
    monkeypatch.setattr("remit.host.wire.server._SEND_TIMEOUT_S", 1)
    with Kernel.open(active_home) as kernel:
        for _ in range(300):
            kernel.emit("big.one", "x" * 4_000)
        deaf = connect(active_home)
        arguments = {"after": 0, "prefixes": [""], "limit": 10_000, "last": 0, "wait_ms": 0}
        for number in range(8):
            deaf.sendall(
                json.dumps({"id": number, "method": "events", "params": {"arguments": arguments}}).encode() + b"\n"
            )
        assert deaf.recv(1, socket.MSG_PEEK) == b"{", "the first request is under way"
        assert kernel.home().pid == os.getpid()
    deaf.close()
    Kernel.open(active_home).close()


def test_a_listener_of_another_user_is_refused(home, monkeypatch):
    with Kernel.open(home):
        monkeypatch.setattr("remit.host.wire.client.peer_uid", lambda _: os.geteuid() + 1)
        with pytest.raises(PeerRefused):
            Client(Home.open(home))


def test_a_kernel_of_another_version_is_refused(home, monkeypatch):
    with Kernel.open(home):
        monkeypatch.setattr("remit.host.wire.server.VERSION", "9.9.9")
        with pytest.raises(ProtocolError, match=r"9\.9\.9"):
            Client(Home.open(home))


def test_more_clients_than_places_are_turned_away_and_the_rest_served(home, monkeypatch):
    monkeypatch.setattr("remit.host.wire.server._MOST_CONNECTIONS", 3)
    with Kernel.open(home):
        held = [connect(home) for _ in range(3)]
        for connection in held:
            connection.sendall(b'{"id": 0, "method": "hello"}\n')
            assert connection.recv(1)
        extra = connect(home)
        assert extra.recv(1) == b""
        for connection in [*held, extra]:
            connection.close()


STRANGER = """
import os, socket, sys
path = sys.argv[1]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
try:
    connection.connect(path)
    connection.sendall(b'{"id": 0, "method": "hello"}\\n')
    print("answered" if connection.recv(100) else "hung up")
except PermissionError:
    print("refused")
except (BrokenPipeError, ConnectionResetError):
    print("hung up")
"""


def test_another_users_process_gets_nothing(home_template):
    root = Path(tempfile.mkdtemp(prefix="remit-stranger-"))
    try:
        root.chmod(0o755)
        home = root / "home"
        shutil.copytree(home_template, home)
        home.chmod(0o755)
        path = home / ".remit" / "kernel.sock"
        with Kernel.open(home):
            private, sock = path.parent.stat(), path.stat()
            assert (private.st_mode & 0o777, sock.st_mode & 0o777) == (0o700, 0o600)
            assert private.st_uid == sock.st_uid == os.geteuid()
            if os.geteuid() == 0:  # only the superuser can become somebody else
                assert _stranger(path) == "refused"
                path.parent.chmod(0o755)
                path.chmod(0o666)  # even if both doors were left open, the kernel looks at who it is
                assert _stranger(path) == "hung up"
    finally:
        shutil.rmtree(root)


def _stranger(path):
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_a_peer_that_the_system_cannot_name_is_refused():
    one, other = socket.socketpair()
    one.close()
    with closing(other), pytest.raises(PeerRefused):
        messages.peer_uid(_Broken())


class _Broken:
    def getsockopt(self, *_):
        raise OSError
