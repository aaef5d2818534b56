"""Run a remit command and SIGKILL this process at its n-th point: a statement of the journal, or a change of a file.

Usage: ``python killed.py N ARGUMENT…``. With N = 0 nothing is killed and the number of points is printed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remit.journal import log

target = int(sys.argv[1])
count = 0


def point() -> None:
    global count  # noqa: PLW0603 - a script of one screen
    count += 1
    if count == target:
        os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        point()
        result = real(*arguments, **options)
        point()
        return result

    setattr(owner, name, wrapped)


for name in ("rename", "replace", "fsync", "ftruncate", "unlink"):
    around(os, name)
for name in ("rename", "replace", "unlink"):
    around(Path, name)

real_connect = log.connect


def connect(path: Path, *, write: bool) -> Any:
    connection = real_connect(path, write=write)
    if write:
        # Called before each statement: BEGIN, every INSERT, COMMIT; the statement after a COMMIT stands for "after it".
        def trace(_cursor: Any, _sql: str, _bindings: Any) -> bool:
            point()
            return True

        connection.exec_trace = trace
    return connection


log.connect = connect  # type: ignore[assignment]

from remit.cli import main  # noqa: E402 - after the points are in place

sys.argv = ["remit", *sys.argv[2:]]
try:
    main()
finally:
    if target == 0:
        sys.stderr.write(f"points={count}\n")
