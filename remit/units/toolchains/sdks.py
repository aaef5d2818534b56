"""The guests' SDKs, which come with Remit: a build takes the one that fits this host, whatever else is installed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from remit.errors import BuildFailed

__all__ = ["sdk_digest", "sdk_files", "sdk_folder"]

_PACKAGE = Path(__file__).parents[2]
_SUFFIXES = frozenset({".py", ".h", ".js", ".rs", ".ts", ".json"})


def sdk_folder(language: str) -> Path:
    """The folder of a language's SDK: in the package where it is installed, beside it in a checkout.

    :raises BuildFailed: if this installation has none
    """
    for place in (_PACKAGE / "sdk" / language, _PACKAGE.parent / "sdk" / language):
        if place.is_dir():
            return place
    raise BuildFailed(f"this installation has no SDK for {language}", remedy="install remit anew")


def sdk_files(language: str) -> list[Path]:
    """The files of an SDK that a build takes in, sorted."""
    folder = sdk_folder(language)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES and path.is_file() and "node_modules" not in path.relative_to(folder).parts
    )


def sdk_digest(language: str) -> str:
    """What a build depends on of an SDK."""
    digest = sha256()
    for file in sdk_files(language):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
