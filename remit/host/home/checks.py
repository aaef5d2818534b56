"""What ``remit doctor`` looks at in a home's files, whether or not a kernel runs or would start.

Every check only reads; what may be mended says how, and is mended by :mod:`remit.host.operations.doctoring`.
"""

from __future__ import annotations

import operator
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from importlib import metadata
from pathlib import Path

from remit.host.home.home import Home
from remit.journal import Journal, Progress, digest_of, verify
from remit.journal.checks import Check, Trouble
from remit.journal.upgrading import COPIES

__all__ = ["file_checks"]

_SETTLED_MS = 3_600_000
"""A younger file may be somebody's work of this moment."""
_LITTLE = 200 << 20
"""Bytes free on the disk."""
_MAX_AHEAD_MS = 60_000
_LOOKED_AT = 1_000
_BOUND = re.compile(r"(<=?|>=?|==)\s*([0-9.]+)")
_BOUNDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*([^;]*)$")


def file_checks(home: Home) -> list[Check]:
    """The checks of a home's files."""
    return [
        Check("home.files", "files that a killed process left", partial(_orphans, home)),
        Check("home.disk", "room on the disk", partial(_disk, home)),
        Check("home.clock", "the clock against the journal", partial(_clock, home)),
        Check("journal.chain", "the chain of the journal", partial(_chain, home)),
        Check("journal.blobs", "the bytes of every blob", partial(_blobs, home)),
        Check("home.formats", "the formats of the home's files", partial(_formats, home)),
        Check("versions", "the libraries that remit stands on", _versions),
    ]


def _reading(home: Home) -> Journal:
    return Journal(home.private, home.clock, home.ids, write=False)


def _chain(home: Home, progress: Progress) -> Sequence[Trouble]:
    journal = _reading(home)
    try:
        verify(journal, progress)
    finally:
        journal.close()
    return ()


def _clock(home: Home, _progress: Progress) -> Iterator[Trouble]:
    journal = _reading(home)
    try:
        # Not only the last one: a kernel whose clock went back has gone on writing.
        last = journal.last(_LOOKED_AT)
    finally:
        journal.close()
    written = max((_ms(record.event.time) for record in last), default=0)
    ahead = written - home.clock.now_ms()
    if ahead > _MAX_AHEAD_MS:
        seconds = ahead // 1_000
        yield Trouble(
            "error",
            f"the clock is {seconds} s behind the journal: leases, budgets and consents count by it",
            "set the clock",
        )


def _ms(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1_000)


def _disk(home: Home, _progress: Progress) -> Iterator[Trouble]:
    status = os.statvfs(home.private)
    free = status.f_bavail * status.f_frsize
    if free < _LITTLE:
        cause = f"{free >> 20} MiB are free: a full disk stops every change and every call"
        yield Trouble("warning", cause, "free some space; 'remit unit gc' and 'remit cache clear' may help")


def _orphans(home: Home, _progress: Progress) -> Iterator[Trouble]:
    private = [path for path in home.private.rglob("*.tmp") if path.name.startswith(".")]
    beside = [*home.root.glob(".remit.toml.*.tmp"), *home.root.glob(".remit.lock.*.tmp"), *home.root.glob(".remit.?*")]
    for path in sorted({*private, *beside} - {home.private}):
        try:
            age = home.clock.now_ms() - int(path.lstat().st_mtime * 1_000)
        except FileNotFoundError:  # its writer has just finished
            continue
        if age > _SETTLED_MS and (path.is_file() or _unfinished_home(path)):
            name = path.relative_to(home.root)
            yield Trouble("warning", f"{name} was never finished", "", f"remove {name}", partial(_remove, path))


def _unfinished_home(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(one.is_file() for one in path.rglob("*"))


def _remove(path: Path) -> None:
    if path.is_dir():
        for folder in sorted(path.rglob("*"), reverse=True):
            folder.rmdir()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _formats(home: Home, _progress: Progress) -> Iterator[Trouble]:
    _reading(home).close()  # which says so where an upgrade is due
    for path in sorted(home.private.glob(COPIES)):
        cause = f"{path.name} is the journal as it was before an upgrade: {path.stat().st_size >> 10:,} KiB"
        yield Trouble("note", cause, "", f"remove {path.name}", partial(_remove, path))


def _blobs(home: Home, progress: Progress) -> Iterator[Trouble]:
    paths = sorted((home.private / "blobs").glob("??/*"))
    for number, path in enumerate(paths):
        progress("reading every blob", number / len(paths))
        if path.name.startswith("."):
            continue
        try:
            sound = digest_of(path.read_bytes()) == f"sha256:{path.name}"
        except FileNotFoundError:
            continue
        if not sound:
            yield Trouble(
                "error",
                f"the blob {path.name} holds other bytes than its name says; it is never used",
                "install the unit that it belongs to again",
                f"remove the blob {path.name[:12]}",
                partial(_remove, path),
            )


def _versions(_progress: Progress) -> Iterator[Trouble]:
    try:
        required = metadata.requires("remit") or []
    except metadata.PackageNotFoundError:
        yield Trouble("note", "remit runs from its source, so nothing says which libraries it needs")
        return
    for text in required:
        match = _REQUIREMENT.match(text)
        if match is None or "extra" in text:
            continue
        name, wanted = match[1], match[2].strip()
        have = _installed(name)
        if have is None:
            yield Trouble("error", f"{name} is not installed", f"run '{sys.executable} -m pip install remit'")
        elif not _within(have, wanted):
            cause = f"{name} {have} is installed, and remit needs {wanted}"
            yield Trouble("warning", cause, f"run 'pip install {name}{wanted}'")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _within(have: str, wanted: str) -> bool:
    """Whether a version meets bounds such as ``<5,>=4.12.2``, the only ones that remit's own requirements use."""
    found = _numbers(have)
    return all(_BOUNDS[sign](found, _numbers(number)) for sign, number in _BOUND.findall(wanted))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
