"""A home on disk: its paths, its private folder, and the lock that makes one process its kernel.

``remit.toml`` and ``policy/`` are the operator's; everything below ``.remit/`` is the kernel's and owner-only. This
module opens and refuses; it does not read the journal (see :mod:`remit.journal`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from remit.errors import (
    HomeBusy,
    HomeExists,
    HomeMissing,
    HomeUnsafe,
    NetworkFilesystem,
)
from remit.host.home.template import TEMPLATE
from remit.journal.files import translate_os_error, write_atomically
from remit.kernel.ports import Clock, Ids, SystemClock, SystemIds
from remit.schemas.config import Config, load_config

__all__ = ["Holder", "Home", "filesystem_of"]

_NETWORK = frozenset({
    "9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
})  # fmt: skip


_ESCAPE = re.compile(r"\\([0-7]{3})")
"""How a mount point's spaces, tabs, line ends and backslashes are written."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a home's lock."""

    pid: int
    program: str
    since_ms: int


def filesystem_of(path: Path, mountinfo: str) -> str:
    """The file system type below ``path``, from the text of ``/proc/self/mountinfo`` (proc(5)); "" if unknown."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5 or not right:  # noqa: PLR2004 - the mount point is field 5
            continue
        mount = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if (path == mount or mount in path.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), right.split()[0]
    return kind


class Home:
    """An existing home, opened by :meth:`open` or made by :meth:`create`."""

    def __init__(self, root: Path, *, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.root = root
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or SystemIds(self.clock)
        self.id = ""
        """The random id in row 1 of the journal; set when the journal is opened."""
        self._config: Config | None = None
        self._read = b""

    # ---- paths ----

    @property
    def private(self) -> Path:
        """``.remit/``."""
        return self.root / ".remit"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.private / "cache"

    @property
    def journal_path(self) -> Path:
        """The journal's database."""
        return self.private / "journal.db"

    @property
    def config_path(self) -> Path:
        """``remit.toml``."""
        return self.root / "remit.toml"

    @property
    def config(self) -> Config:
        """The operator's configuration, read once; :meth:`reload` reads it again."""
        return self._config if self._config is not None else self.reload()

    def reload(self) -> Config:
        """Read ``remit.toml``.

        :raises ConfigInvalid: if it does not follow ``home/v1``
        """
        try:
            data = self.config_path.read_bytes()
        except FileNotFoundError as error:
            raise HomeMissing(f"{self.root} has no remit.toml") from error
        except OSError as error:
            raise translate_os_error(error, "reading remit.toml") from error
        if self._config is None or data != self._read:
            self._config, self._read = load_config(data), data
        return self._config

    def secret(self, name: str) -> bytes:
        """A 32-byte key of this home, made at first use, kept owner-only below ``.remit/keys``."""
        path = self.private / "keys" / name
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = self.ids.random(32)
            write_atomically(path, key)
        if len(key) != 32:  # noqa: PLR2004 - the key's size
            raise HomeUnsafe(f"the key {name!r} of this home is damaged", remedy=f"delete .remit/keys/{name}")
        return key

    # ---- making and opening ----

    @classmethod
    def create(cls, root: Path, *, clock: Clock | None = None, ids: Ids | None = None) -> Home:
        """Make the folders and ``remit.toml`` of a new home. The journal is made when it is first opened.

        :raises HomeExists: if a home stands there
        :raises NetworkFilesystem: if the folder lies on one
        """
        root = root.absolute()
        home = cls(root, clock=clock, ids=ids)
        if home.private.exists():
            raise HomeExists(f"a home stands at {root}")
        try:
            root.mkdir(parents=True, exist_ok=True)
            _refuse_network(root)
            (root / "policy").mkdir(exist_ok=True)
            if not home.config_path.exists():
                write_atomically(home.config_path, TEMPLATE.encode(), mode=0o644)
            # The private folder makes it a home, so it appears whole.
            coming = root / f".remit.{home.ids.new()}"
            for folder in (coming, coming / "keys", coming / "cache", coming / "blobs"):
                folder.mkdir(mode=0o700)
            coming.rename(home.private)
        except OSError as error:
            raise translate_os_error(error, f"making a home at {root}") from error
        return home

    @classmethod
    def open(cls, root: Path | str, *, clock: Clock | None = None, ids: Ids | None = None) -> Home:
        """The home at ``root``.

        :raises HomeMissing: if there is none
        :raises HomeUnsafe: if others may enter its private folder
        :raises NetworkFilesystem: if it lies on a network file system
        """
        home = cls(Path(root).absolute(), clock=clock, ids=ids)
        try:
            state = home.private.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise HomeMissing(f"{home.root} is not a home") from error
        except OSError as error:
            raise translate_os_error(error, f"opening the home {home.root}") from error
        if not stat.S_ISDIR(state.st_mode):
            raise HomeMissing(f"{home.private} is not a folder")
        if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
            raise HomeUnsafe(f"{home.private} must belong to this user alone")
        _refuse_network(home.root)
        return home

    # ---- the lock ----

    @property
    def lock_path(self) -> Path:
        """The lock; it names its holder."""
        return self.private / "lock"

    def holder(self) -> Holder | None:
        """Who wrote the lock last. Says nothing about whether that process still lives."""
        try:
            return msgspec.json.decode(self.lock_path.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            return None

    @contextmanager
    def locked(self, program: str) -> Iterator[None]:
        """Hold the home's lock. The system drops it when the process ends, however it ends.

        :raises HomeBusy: if another process holds it; details name the holder
        """
        descriptor = self._acquire()
        # A forked child must not keep the lock alive: flock is shared by copies of the descriptor.
        held = [descriptor]
        os.register_at_fork(after_in_child=lambda: _close_all(held))
        try:
            holder = Holder(pid=os.getpid(), program=program, since_ms=self.clock.now_ms())
            _overwrite(descriptor, msgspec.json.encode(holder))
            yield
            _overwrite(descriptor, b"")
        finally:
            _close_all(held)

    def _acquire(self) -> int:
        try:
            descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise translate_os_error(error, "taking the home's lock") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise translate_os_error(error, "taking the home's lock") from error
            holder = self.holder()
            who = f"process {holder.pid} ({holder.program})" if holder else "another process"
            raise HomeBusy(f"{who} is the kernel of {self.root}", holder=holder.pid if holder else None) from error
        return descriptor


def _overwrite(descriptor: int, data: bytes) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
    except OSError as error:
        raise translate_os_error(error, "naming the holder of the home's lock") from error


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def _refuse_network(root: Path) -> None:
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux: SQLite's own locking errors remain the guard
        return
    kind = filesystem_of(root.resolve(), mountinfo)
    if kind in _NETWORK:
        raise NetworkFilesystem(f"{root} lies on a network file system ({kind})")
