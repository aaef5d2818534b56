"""Compiled code on disk, each piece under a seal: what does not carry our seal is never loaded.

wasmtime does not check code that it loads, so whoever can write the cache could run anything in this process. A seal
is HMAC-SHA256, by the home's secret, over a record that names the artifact, the engine, the SHA-256 of the code and the
file that it was sealed in: inode, size and the times that any write moves. A file that nobody has touched since is
mapped as it is; of any other the bytes are checked, and what is loaded are the very bytes that were checked. Folder and
files must belong to us and be closed to others. Somebody who runs as the same user can read the secret too; against
them no file helps.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from remit.errors import CacheTampered, DiskFull, HomeReadOnly, HomeUnsafe, HostFault
from remit.sandbox.code.compiling import WORK_PREFIX, Compiled
from remit.sandbox.wit.contract import Shape

__all__ = ["CacheEntry", "CodeCache", "Sealed"]

_DOMAIN = b"remit/code-seal/1\0"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_MAX_RECORD = 4 << 20
_MAC_SIZE = 64
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Sealed(msgspec.Struct, frozen=True):
    """What a seal is over."""

    artifact: str
    engine: str
    code: str
    """SHA-256 of the code, hexadecimal; also the name of its file."""
    size: int
    shape: Shape
    identity: tuple[int, ...]
    """Of the file, when it was sealed: see :func:`_identity`."""


class CacheEntry(msgspec.Struct, frozen=True):
    """One piece of compiled code, for ``remit cache list``."""

    artifact: str
    size: int
    """Bytes of code."""
    engine: str
    """Fingerprint of the engine that it was compiled for."""


class CodeCache:
    """The cache in one folder.

    :param folder: exists and is owner-only
    :param key: the secret of the seals
    :raises HomeUnsafe: if the folder is not ours alone
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key
        status = folder.stat()
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise HomeUnsafe(f"others can enter {folder}, which holds code that would run here")
        self._sweep()

    @property
    def folder(self) -> Path:
        """Where the code lies; the compiler works below it, so that renames stay on one file system."""
        return self._folder

    def find(self, artifact: str, engine: str) -> Sealed | None:
        """The sealed record of an artifact's code for an engine; ``None`` if there is none.

        :raises CacheTampered: if there is one that we did not seal
        """
        data = _read_own(self._record(artifact, engine), _MAX_RECORD, artifact)
        if data is None:
            return None
        sealed = self._unseal(data)
        if sealed is None or (sealed.artifact, sealed.engine) != (artifact, engine):
            raise CacheTampered(f"the cached record of {artifact} does not carry our seal", artifact=artifact)
        return sealed

    @contextmanager
    def untouched(self, sealed: Sealed) -> Iterator[int | None]:
        """A descriptor of the code's file, if nobody has touched it since it was sealed."""
        with _opened(self._code(sealed.code), sealed.artifact) as handle:
            yield handle if handle is not None and _identity(handle) == sealed.identity else None

    def code(self, sealed: Sealed) -> bytes:
        """The code that a record vouches for: these very bytes were checked, whatever becomes of the file.

        :raises CacheTampered: if the file is missing, not ours alone, or not the code that was sealed
        """
        code = _read_own(self._code(sealed.code), sealed.size, sealed.artifact)
        if code is None:
            raise CacheTampered(f"the cached code of {sealed.artifact} is gone", artifact=sealed.artifact)
        if not hmac.compare_digest(hashlib.sha256(code).hexdigest(), sealed.code):
            raise CacheTampered(f"the cached code of {sealed.artifact} was changed", artifact=sealed.artifact)
        return code

    def store(self, artifact: str, engine: str, compiled: Compiled) -> Sealed:
        """Seal what our own compiler just wrote, and move it into the cache.

        Two processes may do so at once: code is named by its own digest, and the later record wins whole.

        :raises DiskFull, HomeReadOnly: if the folder does not take it
        """
        with _storage():
            _sync(compiled.path)
            compiled.path.chmod(0o400)
            target = compiled.path.rename(self._code(compiled.code))
            with _opened(target, artifact) as handle:
                # Taken after the rename, which moves the times; whoever is quicker than us has to be us.
                identity = () if handle is None else _identity(handle)
            size = target.stat().st_size
            sealed = Sealed(artifact, engine, compiled.code, size, compiled.shape, identity)
            body = msgspec.json.encode(sealed)
            draft = compiled.path.with_name("record")
            draft.write_bytes(self._mac(body) + body)
            draft.chmod(0o400)
            _sync(draft)
            draft.rename(self._record(artifact, engine))
            _sync(self._folder)
            return sealed

    def entries(self) -> list[CacheEntry]:
        """Everything under our seal, by artifact and engine."""
        found = []
        for path in sorted(self._folder.glob("*.sealed")):
            with suppress(OSError):
                sealed = self._unseal(path.read_bytes()[: _MAX_RECORD + 1])
                if sealed is not None:
                    found.append(CacheEntry(sealed.artifact, sealed.size, sealed.engine))
        return found

    def clear(self) -> int:
        """Remove all code and records, ours or not; give the number of bytes freed.

        Code that is loaded goes on running, and a compilation under way in another process is left alone.

        :raises HomeReadOnly: if the folder does not allow it
        """
        freed = 0
        with _storage():
            for path in (*self._folder.glob("*.sealed"), *self._folder.glob("*.code")):
                with suppress(FileNotFoundError):
                    size = path.lstat().st_size
                    path.unlink()
                    freed += size
        return freed

    def _sweep(self) -> None:
        """Remove the work folders of processes that ended without doing so."""
        for path in self._folder.glob(f"{WORK_PREFIX}*"):
            owner = path.name.removeprefix(WORK_PREFIX).partition("-")[0]
            if not owner.isdecimal() or not _alive(int(owner)):
                shutil.rmtree(path, ignore_errors=True)

    def _record(self, artifact: str, engine: str) -> Path:
        match = _DIGEST.fullmatch(artifact)
        if match is None:
            raise HostFault(f"{artifact[:100]!r} is not the digest of an artifact")
        return self._folder / f"{match[1]}-{engine}.sealed"

    def _code(self, digest: str) -> Path:
        return self._folder / f"{digest}.code"

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, _DOMAIN + body, hashlib.sha256).hexdigest().encode()

    def _unseal(self, data: bytes) -> Sealed | None:
        if len(data) > _MAX_RECORD or not hmac.compare_digest(self._mac(data[_MAC_SIZE:]), data[:_MAC_SIZE]):
            return None
        return msgspec.json.decode(data[_MAC_SIZE:], type=Sealed)


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull("there is no room for compiled code") from error
        raise HomeReadOnly(f"the code cache cannot be changed: {error.strerror}") from error


def _read_own(path: Path, most: int, artifact: str) -> bytes | None:
    """A file's first ``most`` bytes and one more, if it is ours alone; ``None`` if there is none.

    :raises CacheTampered: if it is anything else
    """
    with _opened(path, artifact) as handle:
        if handle is None:
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(most + 1)


@contextmanager
def _opened(path: Path, artifact: str) -> Iterator[int | None]:
    """A descriptor of a file that is ours alone; ``None`` if there is none.

    :raises CacheTampered: if it is anything else
    """
    try:
        handle = os.open(path, _OPEN)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise CacheTampered(f"a cached file of {artifact} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        others = stat.S_IMODE(status.st_mode) & 0o022
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or others:
            raise CacheTampered(f"others can write the cached code of {artifact}", artifact=artifact)
        yield handle
    finally:
        os.close(handle)


def _identity(handle: int) -> tuple[int, ...]:
    """What stays the same for as long as nobody writes, cuts, renames or replaces a file; only root can set it back."""
    status = os.fstat(handle)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
