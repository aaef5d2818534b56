"""Runs remit in processes that are killed at their n-th point: a statement of the journal, or a change of a file.

A process that has imported everything and started nothing reads one request a line and forks for each: a fork costs a
hundredth of a start. Requests are ``{"run": words, "point": n, "folder": path}`` (with n = 0 nothing is killed, and the
points are counted) and ``{"look": home}``, which opens a home as the next start would and says what it found.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from remit.cli import main
from remit.host import Kernel, verify_journal
from remit.journal import log
from remit.journal.unitstate import rebuild
from remit.kernel.hookspecs import hookimpl
from remit.kernel.model import Bundle, Release
from remit.kernel.ports import Home
from remit.policy import authority  # noqa: F401 - loaded once, before the forks
from remit.registry import FolderSource, plugin
from remit.sandbox.running import runner  # noqa: F401 - as above
from remit.units.manifest import parse

_state = {"count": 0, "target": -1}


def point() -> None:
    _state["count"] += 1
    if _state["count"] == _state["target"]:
        os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        point()
        result = real(*arguments, **options)
        point()
        return result

    setattr(owner, name, wrapped)


def watch() -> None:
    """Have every change of a file, and every statement of a journal that is written, be a point."""
    for name in ("rename", "replace", "fsync", "ftruncate", "unlink"):
        around(os, name)
    for name in ("rename", "replace", "unlink"):
        around(Path, name)
    real_connect = log.connect

    def connect(path: Path, *, write: bool) -> Any:
        connection = real_connect(path, write=write)
        if write:
            # Called before each statement: BEGIN, every INSERT, COMMIT; the one after a COMMIT stands for "after it".
            def trace(_cursor: Any, _sql: str, _bindings: Any) -> bool:
                point()
                return True

            connection.exec_trace = trace
        return connection

    log.connect = connect  # type: ignore[assignment]


class Shelf:
    """A source of units in the folder ``shelf`` of where a command runs: a registry without a network."""

    def accepts(self, reference: str) -> bool:
        return reference.startswith("shelf:")

    def fetch(self, reference: str, progress: Any = None) -> Bundle:
        del progress
        bundle = FolderSource().fetch(str(Path("shelf") / reference.removeprefix("shelf:")))
        return msgspec.structs.replace(bundle, origin=reference)

    def releases(self) -> Callable[[str], list[Release]]:
        return lambda unit: [one for one in map(self._release, sorted(Path("shelf").iterdir())) if one.id == unit]

    def _release(self, folder: Path) -> Release:
        bundle = self.fetch(f"shelf:{folder.name}")
        manifest = parse(bundle.unit_toml)
        return Release(manifest.id, manifest.version, bundle.digest, bundle.origin, {})


@hookimpl
def remit_bundle_sources(home: Home | None) -> list[Any]:
    return [Shelf(), *sources(home)] if Path("shelf").is_dir() else list(sources(home))


sources = plugin.remit_bundle_sources
plugin.remit_bundle_sources = remit_bundle_sources


def run(request: dict[str, Any]) -> dict[str, Any]:
    os.chdir(request["folder"])
    watch()
    _state.update(count=0, target=request["point"] or -1)
    sys.argv = ["remit", *request["run"]]
    try:
        main()
    except SystemExit as ended:
        return {"code": ended.code or 0, "points": _state["count"]}
    return {"code": 0, "points": _state["count"]}


def state_rows(kernel: Kernel, more: str = "") -> list[tuple[Any, ...]]:
    columns = f"namespace, unit, branch, key, version, {more} value"
    return kernel._rooms.journal.execute(f"SELECT {columns} FROM unit_state")


def look(request: dict[str, Any]) -> dict[str, Any]:
    """What the next start finds; everything in it must be the same for an old home, and for a new one."""
    home = Path(request["look"])
    with Kernel.open(home, serve=False) as kernel:
        lock = home / "remit.lock"
        active = kernel.history()[-1]
        found = {
            "installed": sorted(entry.ref.digest for entry in kernel.units()),
            "active": json.loads(json.dumps([[unit.ref.digest, unit.slots, unit.pin] for unit in active.units])),
            "trials": [[trial.id, trial.unit.ref.digest, trial.terms.share] for trial in active.trials],
            "state": [list(row) for row in sorted(state_rows(kernel))],
            "grants": sorted(status.id for status in kernel.leases() if status.state == "standing"),
            "documents": {name: kernel.document(name) for name in kernel.documents()},
            "wanted": (home / "remit.toml").read_text(),
            "lock": lock.read_text() if lock.exists() else "",
            "blobs": sorted(path.name for path in (home / ".remit/blobs").glob("??/*") if path.name[0] != "."),
        }
        numbers = [generation.number for generation in kernel.history()]
        wrong = [] if numbers == list(range(len(numbers))) else ["generations are missing"]
        if sorted(rebuild(kernel._rooms.journal)) != sorted(state_rows(kernel, "seq,")):
            wrong.append("units' state is not what the journal says")
        wrong += [f"{path.name} is left" for path in (home / ".remit").glob("*.pending")]
        told = [(check.id, one) for check in kernel.doctor() for one in check.ailments]
        wrong += [f"{check}: {one.cause}" for check, one in told if one.severity == "error"]
        found["drift"] = [one.cause for check, one in told if check == "units.drift"]
    verify_journal(home)
    return {"found": found, "wrong": wrong}


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if child == 0:
                answer_in_child(request, said.fileno())
            _, status = os.waitpid(child, 0)
            said.seek(0)
            answer = {"status": os.waitstatus_to_exitcode(status)} | json.loads(said.read() or b"{}")
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def answer_in_child(request: dict[str, Any], said: int) -> None:
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    code = 0
    try:
        answer = look(request) if "look" in request else run(request)
    except BaseException:  # noqa: BLE001 - whatever it is, the tool tells it
        answer, code = {"error": traceback.format_exc()[-2_000:]}, 70
    os.pwrite(said, json.dumps(answer).encode(), 0)
    os._exit(code)


if __name__ == "__main__":
    serve()
