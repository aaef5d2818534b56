"""Content-addressed blobs: files named by the SHA-256 of their bytes, written whole or not at all, checked on read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from remit.errors import BlobCorrupt, BlobMissing
from remit.journal.files import sync_folder, translate_os_error
from remit.journal.ports import Ids

__all__ = ["Blobs", "digest_of"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    """``sha256:`` and the hex digest of these bytes (the form of OCI image-spec descriptors)."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Blobs:
    """The blobs below one folder. Safe for many threads and processes: a blob's name decides its content."""

    def __init__(self, folder: Path, ids: Ids) -> None:
        self._folder = folder
        self._ids = ids

    def path(self, digest: str) -> Path:
        """Where a blob lies.

        :raises BlobMissing: if ``digest`` is not a digest (a name from outside never becomes a path)
        """
        if not _DIGEST.fullmatch(digest):
            raise BlobMissing(f"{digest[:80]!r} is not a digest")
        name = digest.removeprefix("sha256:")
        return self._folder / name[:2] / name

    def has(self, digest: str) -> bool:
        """Whether the blob is here; its content is checked when it is read."""
        return self.path(digest).is_file()

    def put(self, data: bytes) -> str:
        """Keep these bytes durably and give their digest."""
        return self.put_many([data])[0]

    def put_many(self, items: Iterable[bytes]) -> list[str]:
        """Keep several blobs with one sync of each folder touched.

        :raises DiskFull: if there is no room; blobs already renamed stay, which is harmless
        """
        digests: list[str] = []
        folders: set[Path] = set()
        try:
            for data in items:
                digest = digest_of(data)
                digests.append(digest)
                path = self.path(digest)
                if not path.exists():
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    self._write(path, data)
                    folders.update((path.parent, self._folder))
            for folder in folders:
                sync_folder(folder)
        except OSError as error:
            raise translate_os_error(error, "writing a blob") from error
        return digests

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{self._ids.new()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def get(self, digest: str) -> bytes:
        """The bytes of a blob, their digest checked.

        :raises BlobMissing: if it is not here
        :raises BlobCorrupt: if its bytes are not what its name says
        """
        data = self._read(digest)
        if digest_of(data) != digest:
            raise BlobCorrupt(f"the blob {digest} has other bytes than its digest says")
        return data

    def range(self, digest: str, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``, fewer at the end. Not checked against the digest: a part has none."""
        try:
            with self.path(digest).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(min(max(start, 0), size))
                return file.read(min(max(length, 0), size))
        except FileNotFoundError:
            raise BlobMissing(f"there is no blob {digest}") from None
        except OSError as error:
            raise translate_os_error(error, "reading a blob") from error

    def _read(self, digest: str) -> bytes:
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"there is no blob {digest}") from None
        except OSError as error:
            raise translate_os_error(error, "reading a blob") from error

    def digests(self) -> Iterator[str]:
        """Every blob here, in no order."""
        for path in self._folder.glob("??/*"):
            digest = f"sha256:{path.name}"
            if _DIGEST.fullmatch(digest):
                yield digest
