"""JSON from outside, read so that no two readers understand it differently: no key twice, bounded size and depth."""

from __future__ import annotations

import json
from typing import Any

from remit.errors.signatures import BundleTooDeep, BundleTooLarge, KeyTwice, Rejected
from remit.schemas.jsonvalue import MAX_DEPTH, deeper_than

__all__ = ["read_object"]


def read_object(data: bytes, limit: int, malformed: type[Rejected], what: str) -> dict[str, Any]:
    """The object that the bytes are.

    :param malformed: what to raise if they are none
    :raises BundleTooLarge: if there are more than ``limit`` of them
    :raises BundleTooDeep: if it nests beyond what any document of ours does
    :raises KeyTwice: if an object names a key twice
    """
    if len(data) > limit:
        raise BundleTooLarge(f"{what} has {len(data)} bytes; {limit} are allowed")
    try:
        document = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise BundleTooDeep(f"{what} nests too deep") from error
    except ValueError as error:
        raise malformed(f"{what} is not JSON: {str(error)[:200]}") from error
    if deeper_than(document, MAX_DEPTH):
        raise BundleTooDeep(f"{what} nests too deep")
    if not isinstance(document, dict):
        raise malformed(f"{what} is not a JSON object")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise KeyTwice("an object names a key twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
