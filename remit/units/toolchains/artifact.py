"""What stands on the disk: the artifact, written whole, and the stamp that says from what it was made."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from remit.errors import BuildFailed, DiskFull

__all__ = ["MAX_FILES", "Stamp", "inside", "source_files", "write_atomically"]

MAX_FILES = 2_000
"""The most that a unit's source may have."""
_MAX_BYTES = 64 << 20
_SKIPPED = frozenset({"__pycache__", "tests", "node_modules"})


def inside(directory: Path, relative: str) -> Path:
    """The path of a file of the unit.

    :raises BuildFailed: if it leaves the unit's folder, by ``..`` or by a link
    """
    root = directory.resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root) or path == root:
        raise BuildFailed(
            f"{relative!r} is not inside the unit's folder", remedy="name a file of the unit in unit.toml"
        )
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by these bytes; readers see the old file or the new one.

    :raises DiskFull: if there is no space; the old file stays
    :raises BuildFailed: if the folder cannot be written
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part.wasm", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space for {path}") from error
        raise BuildFailed(
            f"{path} cannot be written: {error.strerror}", remedy="make the unit's folder writable"
        ) from error


class _Written(msgspec.Struct):
    inputs: str
    artifact: str


@dataclass(frozen=True)
class Stamp:
    """From what an artifact would be made now, against what it was made from."""

    artifact: Path
    inputs: str
    """Digest of source, world, tool and version."""

    @classmethod
    def of(cls, artifact: Path, tree: Path, facts: tuple[str, ...]) -> Stamp:
        """The stamp of a source tree (a folder, or one file) and everything else that matters.

        :raises BuildFailed: if the tree cannot be read, or is larger than a unit's source may be
        """
        digest = sha256(b"remit/build/1")
        for fact in facts:
            digest.update(_framed(fact.encode()))
        try:
            total = 0
            for count, path in enumerate(source_files(tree)):
                total += path.lstat().st_size
                if count >= MAX_FILES or total > _MAX_BYTES:
                    raise BuildFailed(
                        f"{tree} holds more than {MAX_FILES} files or {_MAX_BYTES >> 20} MiB",
                        remedy="keep the source in a folder of its own",
                    )
                digest.update(_framed(path.relative_to(tree.parent).as_posix().encode()))
                digest.update(_framed(os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()))
        except OSError as error:
            raise BuildFailed(f"{error.filename or tree} cannot be read: {error.strerror}") from error
        return cls(artifact, digest.hexdigest())

    @property
    def _path(self) -> Path:
        # In a folder that every version-control setup for Python ignores, and bundles never carry.
        return self.artifact.parent / ".cache" / f"{self.artifact.name}.json"

    def current(self) -> bool:
        """Whether the artifact is there, unchanged, and made from the same."""
        try:
            written = msgspec.json.decode(self._path.read_bytes(), type=_Written)
            return written.inputs == self.inputs and written.artifact == sha256(self.artifact.read_bytes()).hexdigest()
        except (OSError, msgspec.MsgspecError):
            return False

    def write(self, data: bytes) -> None:
        """Note that these bytes were made from that."""
        write_atomically(self._path, msgspec.json.encode(_Written(self.inputs, sha256(data).hexdigest())))


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


def source_files(tree: Path, *, artifacts: bool = False) -> Iterator[Path]:
    """Source files in a stable order; artifacts (unless asked for), tests and hidden folders are not source."""
    if tree.is_file():
        yield tree
        return
    for root, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if (
                not name.startswith(".")
                and (artifacts or path.suffix != ".wasm")
                and (path.is_symlink() or path.is_file())
            ):
                yield path
