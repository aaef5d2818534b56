"""Looks a name up once, within a time: the system's resolver may take half a minute, a call does not have it.

The answer is what a connection is then pinned to; nobody asks again.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address

__all__ = ["NameLookupError", "NameTimeoutError", "Names", "Resolver"]

MAX_ADDRESSES = 32
"""Addresses of a name that are looked at; a name with more is refused, for each must be checked."""
_MAX_THREADS = 16

Resolver = Callable[[str, int, float], Sequence[str]]
"""``(host, port, seconds) -> addresses``; :class:`Names` is the system's."""


class NameLookupError(OSError):
    """A name leads nowhere, or to too many addresses."""


class NameTimeoutError(NameLookupError):
    """The resolver took too long."""


class Names:
    """The system's resolver, on threads of its own, so that a slow one is left behind. A :data:`Resolver`."""

    def __init__(self) -> None:
        self._running = threading.BoundedSemaphore(_MAX_THREADS)

    def __call__(self, host: str, port: int, seconds: float) -> Sequence[str]:
        """The addresses of a host, as text, in the order of the system's preference.

        :raises NameLookupError: if there is none, or too many
        :raises NameTimeoutError: if there is none in time
        """
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass  # it is a name
        if not self._running.acquire(blocking=False):
            raise NameLookupError("too many names are being looked up")
        answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()
        threading.Thread(target=self._ask, args=(host, port, answers), daemon=True, name="remit-lookup").start()
        try:
            answer = answers.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise NameTimeoutError(f"looking {host} up took too long") from None
        if isinstance(answer, OSError):
            raise NameLookupError(f"{host} has no address") from answer
        if not 0 < len(answer) <= MAX_ADDRESSES:
            raise NameLookupError(f"{host} has {len(answer)} addresses; 1 to {MAX_ADDRESSES} are looked at")
        return answer

    def _ask(self, host: str, port: int, answers: queue.SimpleQueue[list[str] | OSError]) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))
        finally:
            self._running.release()
