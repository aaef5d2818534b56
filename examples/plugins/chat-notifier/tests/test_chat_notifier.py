"""The notifier against a hook on loopback: what arrives, what does not, and that nobody waits for it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from remit.errors import RemitError
from remit.kernel.hookspecs import hookimpl

from chat_notifier import Notifier, Sender


class Bad:
    """A plugin that fails, so that there is something to tell."""

    @hookimpl
    def remit_startup(self):
        raise RuntimeError("on purpose")


class Hook(ThreadingHTTPServer):
    """A chat's hook that keeps what it was told."""

    daemon_threads = True

    def __init__(self):
        self.lines = []
        self.go = threading.Event()
        self.go.set()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.go.wait(30)
        self.server.lines.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_failure_is_told_and_a_success_is_not(hook, remit_kernel, monkeypatch):
    monkeypatch.setenv("REMIT_CHAT_HOOK", hook.url)
    with remit_kernel(plugins={"chat": Notifier(), "bad": Bad()}) as kernel:
        kernel.emit("all.well", {"type": "lease.denied"})
        kernel.plugins.call("remit_startup", kernel=kernel)
    assert hook.lines
    assert all(line.startswith("plugin.failed: bad") for line in hook.lines)


def test_a_hook_that_hangs_holds_nobody_up_and_what_is_left_out_is_counted(hook):
    hook.go.clear()
    sender = Sender(hook.url, pause_s=0)
    for number in range(1_000):
        sender.tell(f"line {number}")
    hook.go.set()
    sender.close()
    assert hook.lines[0].startswith("line 0")
    told = len(hook.lines) + sum(int(line.split(" (and ")[1].split()[0]) for line in hook.lines if " (and " in line)
    assert told == 1_000


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://127.0.0.1:1/"])
def test_a_hook_that_is_none_leaves_the_kernel_alone(remit_kernel, monkeypatch, url):
    monkeypatch.setenv("REMIT_CHAT_HOOK", url)
    kernel = remit_kernel(plugins={"chat": Notifier()})
    with pytest.raises(RemitError):
        kernel.call("acme/nothing:here", 1)
    assert bool(kernel.findings()) is url.startswith("file")
