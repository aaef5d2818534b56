"""Bytes over a home's socket, as no client of ours would send them."""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing

from remit.host.wire import messages


def connect(home):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    with messages.address(home / ".remit" / "kernel.sock") as where:
        connection.connect(where)
    return connection


def talk(home, data):
    """Send bytes, then hang up one way; every line that comes back."""
    with closing(connect(home)) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the kernel was quicker to hang up
            return []
        answer = b""
        try:
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionResetError:
            pass
        return [json.loads(line) for line in answer.splitlines()]


def ask(home, method, params, number=1):
    """The answer to one request."""
    with closing(connect(home)) as connection:
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message.get("id") == number:
                    return message
    return None


def alive(home):
    assert ask(home, "hello", {})["result"]["pid"] == os.getpid()
