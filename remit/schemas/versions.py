"""Versions (Semantic Versioning 2.0) and ranges of them (npm's notation, where a comma means "and" as well)."""

from __future__ import annotations

import re
from functools import lru_cache

from semantic_version import NpmSpec, Version  # type: ignore[attr-defined] # the library marks no exports

__all__ = ["Version", "in_range", "is_range", "is_version", "parse_range"]

_MAX = 128
_REMEMBERED = 4_096
_COMMA = re.compile(r"\s*,\s*")
_AFTER_OPERATOR = re.compile(r"([<>=^~])\s+")


def is_version(text: str) -> bool:
    """Whether this is a version."""
    try:
        Version(text)
    except ValueError:
        return False
    return len(text) <= _MAX


def is_range(text: str) -> bool:
    """Whether this is a range."""
    try:
        parse_range(text)
    except ValueError:
        return False
    return True


@lru_cache(_REMEMBERED)
def parse_range(text: str) -> NpmSpec:
    """The range that a text stands for.

    :raises ValueError: if it is not one
    """
    if len(text) > _MAX or not text.strip():
        raise ValueError(text[:_MAX])
    return NpmSpec(_AFTER_OPERATOR.sub(r"\1", _COMMA.sub(" ", text.strip())))


@lru_cache(_REMEMBERED)
def in_range(version: str, text: str) -> bool:
    """Whether a version lies in a range; a pre-release only where the range names one of the same version.

    :raises ValueError: if either is malformed
    """
    return Version(version) in parse_range(text)
