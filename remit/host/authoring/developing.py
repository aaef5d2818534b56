"""The loop of an author at work: what changed in a unit's folder is built and swapped into a home at once.

What does not build, or may not become active, leaves the version before in its place. Files are looked at, not watched:
that works on every file system, and only sources count, so that a build never causes the next one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from remit.errors import RemitError
from remit.host.authoring.tools import build_unit, check_unit, init, permit_native, sound_manifest
from remit.host.authoring.workbench import lend_code
from remit.host.connection import connect
from remit.host.facade.facade import Facade
from remit.host.facade.views import LogLine
from remit.journal import Progress, no_progress
from remit.kernel.ports import SystemClock
from remit.units.manifest.files import MANIFEST
from remit.units.toolchains.artifact import MAX_FILES, source_files

__all__ = ["Swap", "Told", "develop", "workshop"]

_LOOK_MS = 200
_QUIET_MS = 150
"""For how long nothing may change before a build: an editor writes a file in several steps."""

_TELLING = ("action.completed", "action.failed", "action.denied", "lease.denied", "lease.exhausted", "egress.")

Look = dict[str, tuple[int, int, int]]


class Swap(msgspec.Struct, frozen=True, tag=True):
    """One turn of the loop: another version became active, or why the one before stays."""

    unit: str
    generation: int
    """The active one, now."""
    digest: str
    """Of the bundle that is active; "" where none became so."""
    took_ms: int
    error: dict[str, Any] | None = None
    """As :meth:`remit.errors.RemitError.as_dict` gives it."""


class Told(msgspec.Struct, frozen=True, tag=True):
    """Something that the unit did, tried to do, or was refused."""

    record: dict[str, Any]
    log: list[LogLine] = []
    """The lines that it logged on the way."""


@contextmanager
def workshop(root: Path, folder: Path | str = ".", *, program: str = "remit unit dev") -> Iterator[tuple[Facade, bool]]:
    """The home that stands at ``root``, and false; or one that is gone afterwards, and true.

    :param folder: the unit's: if it is native, the home that is made lets it run
    """
    if (root / "remit.toml").is_file():
        with connect(root, program=program, signals="manage") as home:
            yield home, False
        return
    with tempfile.TemporaryDirectory(prefix="remit-dev-") as work:
        place = Path(work, "home")
        init(place)
        permit_native(place, folder)
        lend_code(place)
        with connect(place, program=program, signals="manage") as home:
            yield home, True


def develop(
    folder: Path | str, home: Facade, *, consent: bool, progress: Progress = no_progress
) -> Iterator[Swap | Told]:
    """Build and swap in a unit now and at every change of its sources, and tell what it does; for ever.

    :param consent: whether the caller consents to what a change widens; without it such a change is not swapped in
    """
    root, watch = Path(folder).resolve(), _Watch()
    seen, unit = home.home().head, ""
    while True:
        if watch.changed(root):
            swap = _swap(root, home, consent=consent, progress=progress)
            unit = swap.unit or unit
            yield swap
        for record in home.events(seen, wait_ms=_LOOK_MS):
            seen = record["seq"]
            if _about(record["event"], unit):
                yield Told(record, _lines(home, record, unit))


def _lines(home: Facade, record: dict[str, Any], unit: str) -> list[LogLine]:
    if record["event"]["type"] not in {"action.completed", "action.failed"}:
        return []
    found = home.logs(record["seq"] - 1, until=record["seq"], unit=unit)
    return [line for line in found if not line.code]  # a failure is told by its record


class _Watch:
    """Says that sources changed once they have stood still for a moment; the first time at once."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._built: Look | None = None
        self._last: Look = {}
        self._since = 0
        self._manifest: tuple[int, ...] = ()
        self._artifacts = False

    def changed(self, root: Path) -> bool:
        look, now = self._look(root), self._clock.monotonic_ns()
        if look != self._last:
            self._last, self._since = look, now
        if look == self._built:
            return False
        if self._built is not None and now - self._since < _QUIET_MS * 1_000_000:
            return False
        self._built = look
        return True

    def _look(self, root: Path) -> Look:
        found: Look = {}
        for path in source_files(root, artifacts=self._artifacts_count(root)):
            with suppress(OSError):  # it went between the listing and now, or leads nowhere
                found[str(path)] = _stamp(path)
            if len(found) > MAX_FILES:  # the build says so
                break
        return found

    def _artifacts_count(self, root: Path) -> bool:
        """Whether a component that another tool makes is itself what changes."""
        stamp: tuple[int, ...] = ()
        with suppress(OSError):
            stamp = _stamp(root / MANIFEST)
        if stamp != self._manifest:
            manifest = check_unit(root)[0]
            self._manifest, self._artifacts = stamp, manifest is not None and manifest.build is None
        return self._artifacts


def _stamp(path: Path) -> tuple[int, int, int]:
    at = path.stat()
    return at.st_mtime_ns, at.st_size, at.st_ino


def _swap(root: Path, home: Facade, *, consent: bool, progress: Progress) -> Swap:
    clock = SystemClock()
    began, unit, digest, failed = clock.monotonic_ns(), "", "", None
    try:
        manifest = sound_manifest(root)
        unit = manifest.id
        if manifest.build is not None:
            build_unit(root, progress)
        installed = home.install(str(root), allow_unsigned=True, progress=progress)
        home.apply(home.plan(add=[installed]), consent=consent, message=f"remit unit dev {root.name}")
        digest = installed.ref.digest
    except RemitError as error:
        failed = error.as_dict()
    return Swap(unit, home.home().generation, digest, (clock.monotonic_ns() - began) // 1_000_000, failed)


def _about(event: dict[str, Any], unit: str) -> bool:
    """Whether this record says what the unit did: its calls, what it was refused, what it emitted."""
    if not unit:
        return False
    if f"/unit/{unit}@" in event["source"]:
        return True
    data = event.get("data")
    named = data.get("unit") if isinstance(data, dict) else None
    return named == unit and event["type"].startswith(_TELLING)
