"""A home in one file, and a home made from such a file.

The file is a plain tar archive (POSIX.1-2001) of the operator's files and of ``.remit/`` without what can be made
again; its last member lists every other one with its digest. The journal in it is one consistent read. A restore checks
every byte and the whole chain in a folder beside, which becomes the home by one rename: whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from remit.errors import BackupInvalid, HomeExists
from remit.host.facade.views import BackupView
from remit.host.home.home import Home
from remit.journal import Draft, Journal, Progress, no_progress, translate_os_error, verify
from remit.journal.files import sync_folder
from remit.journal.ports import Clock, Ids, SystemClock, SystemIds
from remit.journal.upgrading import COPIES, upgrade
from remit.schemas import formats

__all__ = ["restore", "write_backup"]

_LIST = "backup.json"
_JOURNAL = ".remit/journal.db"
_MADE_AGAIN = frozenset({"cache", "lock", "kernel.sock", "head.json", "journal.db", "journal.db-wal", "journal.db-shm"})
_CHUNK = 1 << 20
_MAX_LIST = 256 << 20
_LONGEST_NAME = 1_000


class _Listed(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class _Contents(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    home: str
    seq: int
    hash: str
    files: dict[str, _Listed]

    def view(self) -> BackupView:
        return BackupView(self.home, self.seq, self.hash, len(self.files), sum(one.size for one in self.files.values()))


def write_backup(home: Home, journal: Journal, path: Path, progress: Progress) -> BackupView:
    """Write the home's backup; the caller keeps blobs from being collected meanwhile.

    :raises DiskFull: if there is no room; a file that was there stays
    """
    draft = path.with_name(f".{path.name}.{home.ids.new()}.tmp")
    copy = home.private / f".{home.ids.new()}.tmp"
    try:
        progress("copying the journal", 0.0)
        head = journal.copy_to(copy)
        with _created(draft) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            files = _add_all(archive, {_JOURNAL: copy, **_sources(home)}, progress)
            contents = _Contents(
                format=formats.BACKUP, home=journal.home_id, seq=head.seq, hash=head.hash.hex(), files=files
            )
            _add(archive, _LIST, io.BytesIO(msgspec.json.encode(contents)))
        _sync(draft)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise translate_os_error(error, f"writing {path.name}") from error
    finally:
        draft.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
    return contents.view()


def _created(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _add_all(archive: tarfile.TarFile, sources: Mapping[str, Path], progress: Progress) -> dict[str, _Listed]:
    files = {}
    for number, (name, source) in enumerate(sorted(sources.items())):
        progress("writing the backup", number / len(sources))
        with source.open("rb") as content:
            files[name] = _add(archive, name, content)
    return files


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> _Listed:
    """Add what a file holds now; one that grows meanwhile is added as long as it was."""
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    reader = _Hashing(content)
    archive.addfile(member, reader)  # type: ignore[arg-type] # it only reads
    return _Listed(size, reader.digest.hexdigest())


class _Hashing:
    """Reads a file and knows the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _sources(home: Home) -> dict[str, Path]:
    """What is backed up besides the journal, by name."""
    named = ["remit.toml", "remit.lock", *(one.root for one in home.config.registry.values() if one.root)]
    own = [home.root / name for name in named] + [path for path in (home.root / "policy").rglob("*") if path.is_file()]
    # What the operator keeps elsewhere stays elsewhere.
    here = [path for path in own if path.is_relative_to(home.root) and path.is_file()]
    found = {path.relative_to(home.root).as_posix(): path for path in here}
    for top in home.private.iterdir():
        if top.name not in _MADE_AGAIN and not top.match(COPIES):
            for path in [top] if top.is_file() else top.rglob("*"):
                if path.is_file() and not path.is_symlink() and not path.name.endswith(".tmp"):
                    found[path.relative_to(home.root).as_posix()] = path
    return {name: path for name, path in found.items() if _safe(name)}


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# ---- restore ----


def restore(
    path: Path | str,
    root: Path | str,
    progress: Progress = no_progress,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> BackupView:
    """Make the home at ``root`` from a backup. The journal says that it was restored, and from where.

    :raises BackupInvalid: if the file is no backup, was cut off or was changed
    :raises HomeExists: if there is anything at ``root``
    :raises JournalError: if the chain in it is not whole
    :raises DiskFull: if there is no room; nothing is left behind
    """
    root = Path(root).absolute()
    clock = clock or SystemClock()
    ids = ids or SystemIds(clock)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise HomeExists(f"{root} is there already, and not an empty folder")
    staging = root.with_name(f".{root.name}.{ids.new()}.restoring")
    try:
        staging.mkdir(mode=0o755, parents=True)
        contents = _extract(Path(path), staging, progress)
        _check_journal(staging / ".remit", contents, clock, ids, progress)
        if root.exists():
            root.rmdir()
        staging.rename(root)
        sync_folder(root.parent)
    except OSError as error:
        raise translate_os_error(error, f"restoring {root.name}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return contents.view()


def _extract(path: Path, staging: Path, progress: Progress) -> _Contents:
    found: dict[str, _Listed] = {}
    contents: _Contents | None = None
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                progress("reading the backup", min(1.0, member.offset / max(path.stat().st_size, 1)))
                content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if content is None or contents is not None or not _safe(member.name) or member.name in found:
                    raise BackupInvalid(f"{path.name} holds {member.name[:200]!r}, which no backup does")
                if member.name == _LIST:
                    contents = _read_list(content, member.size)
                else:
                    found[member.name] = _keep(content, staging / member.name)
    except (tarfile.TarError, EOFError, UnicodeDecodeError, ValueError) as error:
        raise BackupInvalid(f"{path.name} is no backup of a home, or was cut off: {error}") from error
    if contents is None:
        raise BackupInvalid(f"{path.name} was cut off: it does not say what it holds")
    if contents.files != found:
        wrong = sorted(name for name in contents.files.keys() | found if contents.files.get(name) != found.get(name))
        raise BackupInvalid(f"{path.name} was changed: {wrong[0][:200]!r} is not what was backed up")
    return contents


def _safe(name: str) -> bool:
    """Whether a member's name is one that a home's file may have, below whatever folder it is put."""
    parts = PurePosixPath(name).parts
    return (
        0 < len(name) <= _LONGEST_NAME
        and name == "/".join(parts)
        and not {"..", "."} & {*parts}
        and not parts[0].startswith("/")
        and not (len(parts) > 1 and parts[0] == ".remit" and parts[1] in _MADE_AGAIN and name != _JOURNAL)
    )


def _read_list(content: IO[bytes], size: int) -> _Contents:
    if size > _MAX_LIST:
        raise BackupInvalid("the list of what the backup holds is too long")
    try:
        contents = msgspec.json.decode(content.read(), type=_Contents)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BackupInvalid(f"the list of what the backup holds cannot be read: {error}") from error
    if contents.format != formats.BACKUP:
        raise BackupInvalid(f"the backup has format {contents.format[:80]!r}; this remit reads {formats.BACKUP!r}")
    return contents


def _keep(content: IO[bytes], target: Path) -> _Listed:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _created(target) as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return _Listed(size, digest.hexdigest())


def _check_journal(private: Path, contents: _Contents, clock: Clock, ids: Ids, progress: Progress) -> None:
    if not (private / "journal.db").is_file() or not (private.parent / "remit.toml").is_file():
        raise BackupInvalid("the backup has no journal or no remit.toml")
    for path in private.glob("blobs/??/*"):
        if contents.files[path.relative_to(private.parent).as_posix()].sha256 != path.name:
            raise BackupInvalid(f"the blob {path.name[:80]} holds other bytes than its name says")
    for folder in ("keys", "cache", "blobs"):
        (private / folder).mkdir(mode=0o700, exist_ok=True)
    private.chmod(0o700)
    # The backup itself is the copy of what it was.
    (private / (upgrade(private, dry_run=False).copy or "none")).unlink(missing_ok=True)
    journal = Journal(private, clock, ids)
    try:
        verify(journal, progress)
        head = journal.head
        if (journal.home_id, head.seq, head.hash.hex()) != (contents.home, contents.seq, contents.hash):
            raise BackupInvalid("the journal in the backup is not the one that was backed up")
        data = {"home": contents.home, "seq": contents.seq, "hash": contents.hash}
        journal.append([Draft(type="home.restored", data=data)])
    finally:
        journal.close()
