"""Long work in pure Python lets other threads in every half millisecond, so that checks of leases hardly notice it.

An interpreter gives its lock away every five milliseconds at its usual setting: a check that comes in between waits for
as long. The setting is the process's own, so it is put back as soon as the last piece of such work is done. What the
garbage collector or one call into Cedar takes is not bounded by it.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["giving_way"]

_INTERVAL_S = 0.0005


class _Setting:
    """The process's setting, while anybody wants it otherwise."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before = 0.0


_SETTING = _Setting()


@contextmanager
def giving_way() -> Iterator[None]:
    """Work inside of this is often interrupted for other threads."""
    with _SETTING.lock:
        if not _SETTING.users:
            _SETTING.before = sys.getswitchinterval()
            sys.setswitchinterval(min(_INTERVAL_S, _SETTING.before))
        _SETTING.users += 1
    try:
        yield
    finally:
        with _SETTING.lock:
            _SETTING.users -= 1
            if not _SETTING.users:
                sys.setswitchinterval(_SETTING.before)
