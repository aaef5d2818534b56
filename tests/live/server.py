"""``remit serve`` as operators run it: a process, asked over HTTP by many at once."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_S = 60
START = "import sys; sys.argv[0] = 'remit'; from remit.cli import main; main()"


class RefusedError(Exception):
    """An answer that is no success, or none at all."""


class Server:
    """A home's service in a process of its own."""

    def __init__(self, home):
        self.home = home
        self.address = ("127.0.0.1", 0)
        self.process = None

    def start(self):
        words = ["serve", "--home", str(self.home), "--port", "0", "--no-session-token", "--json"]
        self.process = subprocess.Popen([sys.executable, "-c", START, *words], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, f"the server ended with {self.process.wait(PATIENCE_S)}"
        place = urlsplit(json.loads(line)["url"])
        self.address = place.hostname, place.port

    def resident(self):
        """Bytes of memory that the process holds."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self):
        self.process.kill()
        self._gone()

    def stop(self):
        """Ask it to end, and give its exit code."""
        self.process.terminate()
        return self._gone()

    def clean(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _gone(self):
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code


class Agent:
    """One client of the service, with a connection that it keeps."""

    def __init__(self, server, token):
        self.server = server
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.line = None

    def post(self, path, value, **headers):
        """The answer's JSON.

        :raises RefusedError: if it is no success
        """
        try:
            if self.line is None:
                self.line = http.client.HTTPConnection(*self.server.address, timeout=PATIENCE_S)
            self.line.request("POST", path, json.dumps(value), self.headers | headers)
            answer = self.line.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RefusedError(f"{type(error).__name__}: {error}") from error
        if answer.status >= 300:
            raise RefusedError(f"{answer.status} {body[:200]!r}")
        return json.loads(body)

    def emit(self, topic, data, key=""):
        """Say that something happened; gives the id that was acknowledged."""
        headers = {"idempotency-key": key} if key else {}
        return self.post("/events", {"type": topic, "data": data}, **headers)["event"]["id"]

    def follow(self, prefix):
        """Server-sent records, whose topics begin so, until the server ends the stream."""
        line = http.client.HTTPConnection(*self.server.address, timeout=PATIENCE_S)
        try:
            line.request("GET", f"/events?prefix={prefix}", headers=self.headers | {"accept": "text/event-stream"})
            answer = line.getresponse()
            assert answer.status == 200
            for row in answer:
                if row.startswith(b"data: "):
                    yield json.loads(row[6:])
        finally:
            line.close()

    def close(self):
        if self.line is not None:
            self.line.close()
            self.line = None
