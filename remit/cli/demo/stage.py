"""Where the demo plays: the home's folder, the first-party units, and compiled code from an earlier time.

A demo's home is new each time; compiling its largest unit takes seconds. So the code cache of the last demo is kept in
the user's cache folder with the key that seals it, owner-only, and handed to the next demo's home. Nothing else uses
that key. Whoever can write there runs as this user anyway; a folder that others can enter is not used.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import remit
from remit.errors import HomeExists, SourceUnknown

__all__ = ["borrow_code", "find_units", "home_folder", "keep_code"]

_CODE = Path("cache")
_KEY = Path("keys") / "code-cache"
"""The key that seals compiled code; no other key leaves its home."""
_MOST_KEPT = 256 << 20
_HOW = "fetch the source distribution ('pip download --no-deps --no-binary remit remit') and pass its units/ by --units"


def find_units(named: Path | None) -> Path:
    """The folder of the first-party units: the named one, else the one beside the source tree.

    :raises SourceUnknown: if they are not there, as in an installation from a wheel
    """
    folder = named if named is not None else Path(remit.__file__).resolve().parents[1] / "units"
    missing = [name for name in ("redact", "tone", "wat/sneaky") if not (folder / name / "unit.toml").is_file()]
    if missing:
        raise SourceUnknown(f"the demo needs the first-party units; {folder} has no {missing[0]}", remedy=_HOW)
    return folder


@contextmanager
def home_folder(keep: Path | None) -> Iterator[Path]:
    """The folder of the demo's home: a temporary one, or one that stays.

    :raises HomeExists: if the folder to keep has something in it
    """
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise HomeExists(f"{keep} is not empty", remedy="name a new folder with --keep")
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="remit-demo-") as folder:
        yield Path(folder) / "home"


def _store() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # RuntimeError: a user without a home
    return Path(root) / "remit" / "demo"


def _ours_alone(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    private = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
    return stat.S_ISDIR(status.st_mode) and private


def borrow_code(home: Path) -> None:
    """Give a new home the compiled code of the last demo, if there is any; without it everything is compiled anew."""
    with suppress(OSError, RuntimeError), _locked(_store()) as store:
        if all(_ours_alone(store / path.parent) for path in (_CODE / "any", _KEY)) and (store / _KEY).is_file():
            shutil.copy2(store / _KEY, home / ".remit" / _KEY)
            shutil.copytree(store / _CODE, home / ".remit" / _CODE, dirs_exist_ok=True)


def keep_code(home: Path) -> None:
    """Keep a home's compiled code for the next demo. A cache that cannot be kept is no fault of the demo."""
    private = home / ".remit"
    with suppress(OSError, RuntimeError), _locked(_store()) as store:
        for folder in (_CODE, _KEY.parent):
            shutil.rmtree(store / folder, ignore_errors=True)
        if sum(path.stat().st_size for path in (private / _CODE).rglob("*")) > _MOST_KEPT:
            return  # code of earlier versions has piled up: begin anew next time
        (store / _KEY).parent.mkdir(mode=0o700)
        shutil.copytree(private / _CODE, store / _CODE)
        shutil.copy2(private / _KEY, store / _KEY)


@contextmanager
def _locked(store: Path) -> Iterator[Path]:
    """The store, while no other demo is at it: code and key must be those of one home.

    :raises OSError: if it cannot be made, or is not ours alone
    """
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _ours_alone(store):
        raise PermissionError(errno.EACCES, "others can enter it", str(store))
    handle = os.open(store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield store
    finally:
        os.close(handle)
