"""Tells a chat's web hook what was refused or went wrong: an observer that hands over and never waits."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import urllib.request
from urllib.parse import urlsplit

from remit.journal.event import Record
from remit.kernel.hookspecs import hookimpl

KINDS = ("lease.denied", "lease.exhausted", "egress.denied", "action.failed", "unit.quarantined", "plugin.failed")
_QUEUED = 100
_TIMEOUT_S = 5
_PAUSE_S = 1.0
_LOG = logging.getLogger(__name__)


class Sender:
    """Posts lines, one after another, on a thread of its own."""

    def __init__(self, url: str, pause_s: float = _PAUSE_S) -> None:
        self._url = url
        self._pause_s = pause_s
        self._lines: queue.Queue[str] = queue.Queue(_QUEUED)
        self._left_out = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chat-notifier", daemon=True)
        self._thread.start()

    def tell(self, line: str) -> None:
        """Hand a line over; where too many wait, only its number is kept."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Send what waits, for as long as one post may take, and stop."""
        self._closing.set()
        self._thread.join(_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._lines.empty()):
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            left_out, self._left_out = self._left_out, 0
            self._post(f"{line} (and {left_out} more)" if left_out else line)
            self._closing.wait(self._pause_s)

    def _post(self, line: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - the address was checked, and is the operator's
            self._url, json.dumps({"text": line}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                answer.read(1)
        except OSError as error:
            _LOG.warning("the chat's hook did not take a line: %s", error)


class Notifier:
    """The plugin: begins and ends with the kernel."""

    def __init__(self) -> None:
        self._sender: Sender | None = None

    @hookimpl
    def remit_startup(self) -> None:
        """Look where to send to.

        :raises ValueError: if that is no web address: the kernel names this plugin and serves on
        """
        url = os.environ.get("REMIT_CHAT_HOOK", "")
        if not url:
            return
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("REMIT_CHAT_HOOK is no http(s) address")
        self._sender = Sender(url)

    @hookimpl
    def remit_event(self, record: Record) -> None:
        """Tell of what matters, if it is the kernel's own word."""
        if self._sender is not None and record.from_kernel and record.event.type in KINDS:
            self._sender.tell(f"{record.event.type}: {record.event.subject or 'the home'} (record {record.seq})")

    @hookimpl
    def remit_shutdown(self) -> None:
        """Send what waits."""
        if self._sender is not None:
            self._sender.close()


_notifier = Notifier()
remit_startup = _notifier.remit_startup
remit_event = _notifier.remit_event
remit_shutdown = _notifier.remit_shutdown
