"""Versions as tags: a tag cannot hold the ``+`` of build metadata, so ``_`` stands for it, which no version holds."""

from __future__ import annotations

from collections.abc import Iterable

from remit.errors import ReferenceInvalid, ReferenceUnknown
from remit.schemas.versions import Version, is_version, parse_range

__all__ = ["best_version", "tag_of", "versions_of"]


def tag_of(version: str) -> str:
    """The tag of a version."""
    return version.replace("+", "_")


def versions_of(tags: Iterable[str]) -> list[str]:
    """The versions among some tags, best first; other tags (``latest``, fallback lists) are none."""
    found = [version for version in (tag.replace("_", "+") for tag in tags) if is_version(version)]
    return sorted(found, key=Version, reverse=True)


def best_version(tags: Iterable[str], wanted: str, repository: str) -> str:
    """The tag of the best version in a range.

    :raises ReferenceInvalid: if it is no range
    :raises ReferenceUnknown: if no tag is a version in it
    """
    try:
        allowed = parse_range(wanted)
    except ValueError as error:
        raise ReferenceInvalid(f"{wanted[:80]!r} is not a range of versions") from error
    there = versions_of(tags)
    for version in there:
        if Version(version) in allowed:
            return tag_of(version)
    have = f"it has {', '.join(there[:5])}" if there else "it has no version"
    raise ReferenceUnknown(f"{repository} has no version in {wanted}; {have}")
