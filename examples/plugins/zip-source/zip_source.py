"""Units out of zip archives: ``zip:PATH`` or ``zip:PATH#FOLDER``. Nothing is unpacked to disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from zlib import error as zlib_error

from remit.errors import BundleInvalid
from remit.journal import Progress, no_progress
from remit.kernel.hookspecs import hookimpl
from remit.kernel.model import Bundle
from remit.registry import pack
from remit.units.manifest import parse, schema_files

_SCHEME = "zip:"
_MOST_BYTES = 64 << 20
_MOST_ENTRIES = 10_000
_BROKEN = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib_error)
"""What :mod:`zipfile` raises for archives that are cut off, altered, encrypted or packed by a method it lacks."""


class ZipSource:
    """Implements :class:`remit.kernel.ports.BundleSource`."""

    def accepts(self, reference: str) -> bool:
        """Whether the reference begins with ``zip:``."""
        return reference.startswith(_SCHEME)

    def fetch(self, reference: str, progress: Progress = no_progress) -> Bundle:
        """The bundle of the unit in the archive.

        :raises BundleInvalid: if there is no such archive or unit in it, or a file of it is too large
        :raises ManifestInvalid: if its ``unit.toml`` has faults
        """
        path, _, folder = reference.removeprefix(_SCHEME).partition("#")
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        try:
            with zipfile.ZipFile(Path(path)) as archive:
                if len(archive.infolist()) > _MOST_ENTRIES:
                    raise BundleInvalid(f"{path} has more than {_MOST_ENTRIES} entries")
                files = _files(archive, prefix, progress)
        except (
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
            EOFError,
            zipfile.BadZipFile,
            zlib_error,
        ) as error:
            raise BundleInvalid(
                f"{path} cannot be read: {type(error).__name__}: {error}", remedy="name a zip archive"
            ) from error
        # A file of this machine that the operator named: as local as a folder is.
        return pack(files, origin=reference, local=True)


def _files(archive: zipfile.ZipFile, prefix: str, progress: Progress) -> dict[str, bytes]:
    names = set(archive.namelist())
    if f"{prefix}unit.toml" not in names:
        raise BundleInvalid(f"{archive.filename} has no {prefix}unit.toml", remedy="name the folder: zip:PATH#FOLDER")
    text = _read(archive, f"{prefix}unit.toml")
    manifest = parse(text)
    wanted = [*schema_files(manifest).values(), *([manifest.runtime.artifact] if manifest.runtime else [])]
    optional = [name for name in ("README.md", "LICENSE") if prefix + name in names]
    files = {"unit.toml": text}
    for index, name in enumerate(_unique([*wanted, *optional])):
        progress(f"reading {name}", index / (len(wanted) + len(optional)))
        if prefix + name not in names:
            raise BundleInvalid(f"unit.toml names {name!r}, which is not in the archive", remedy="add the file")
        files[name] = _read(archive, prefix + name)
    return files


def _unique(names: list[str]) -> Iterator[str]:
    return iter(dict.fromkeys(names))


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise BundleInvalid(f"{name} has more than {_MOST_BYTES >> 20} MiB")
    return data


@hookimpl
def remit_bundle_sources() -> list[ZipSource]:
    """Archives, beside what there is."""
    return [ZipSource()]
