"""Merkle trees of transparency logs: roots, inclusion and consistency proofs, and the checks of both. Pure.

Source: RFC 6962, section 2.1, and RFC 9162, sections 2.1.3 and 2.1.4, for the checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

__all__ = ["EMPTY", "Tree", "consistent", "leaf_hash", "proof_length", "root_of_proof"]

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows: every full subtree's hash is kept, so that roots and proofs cost a logarithm."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add the hash of an entry."""
        level = 0
        self._levels[0].append(leaf)
        while len(self._levels[level]) % 2 == 0:
            if len(self._levels) == level + 1:
                self._levels.append([])
            self._levels[level + 1].append(_node(*self._levels[level][-2:]))
            level += 1

    def root(self, size: int | None = None) -> bytes:
        """The root when the tree had ``size`` leaves, or as it is."""
        count = len(self) if size is None else size
        return self._hash(0, count) if count else EMPTY

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof that leaf ``index`` is in the tree of ``size`` leaves."""

        def path(index: int, low: int, count: int) -> list[bytes]:
            if count == 1:
                return []
            half = _half(count)
            if index < half:
                return [*path(index, low, half), self._hash(low + half, count - half)]
            return [*path(index - half, low + half, count - half), self._hash(low, half)]

        return path(index, 0, len(self) if size is None else size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of ``new`` leaves begins with the tree of ``old`` leaves."""

        def path(old: int, low: int, count: int, *, whole: bool) -> list[bytes]:
            if old == count:
                return [] if whole else [self._hash(low, count)]
            half = _half(count)
            if old <= half:
                return [*path(old, low, half, whole=whole), self._hash(low + half, count - half)]
            return [*path(old - half, low + half, count - half, whole=False), self._hash(low, half)]

        return path(old, 0, new, whole=True) if 0 < old < new else []

    def _hash(self, low: int, count: int) -> bytes:
        if count & (count - 1) == 0 and low % count == 0:
            return self._levels[count.bit_length() - 1][low // count]
        half = _half(count)
        return _node(self._hash(low, half), self._hash(low + half, count - half))


def proof_length(index: int, size: int) -> int:
    """How many hashes the inclusion proof of a leaf has."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


def root_of_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof of the right length leads to."""
    inner = (index ^ (size - 1)).bit_length()
    found = leaf
    for level, sibling in enumerate(proof):
        left = level >= inner or (index >> level) & 1
        found = _node(sibling, found) if left else _node(found, sibling)
    return found


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a consistency proof shows that the log of ``new`` leaves begins with the one of ``old`` leaves."""
    if old == new:
        return old_root == new_root and not proof
    if not 0 < old < new:
        return old == 0 and not proof
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    first, second = old - 1, new - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    was = now = path[0]
    for sibling in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            was, now = _node(sibling, was), _node(sibling, now)
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            now = _node(now, sibling)
        first, second = first >> 1, second >> 1
    return second == 0 and was == old_root and now == new_root


def _half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1
