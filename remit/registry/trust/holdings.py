"""Whom a home trusts: trusted roots, keys, and who signs for which publisher; the read model, and how it is changed.

A publisher's first admitted signer is pinned (RFC 7435 calls that trust on first use); policy may ask for more. Nothing
here verifies anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from remit.journal import Record
from remit.registry.trust.model import Signer
from remit.registry.trust.note import Checkpoint
from remit.schemas.versions import Version

__all__ = ["Holdings", "HoldingsFold", "Known", "Pin"]

Pin = Literal["named", "first", "retired"]
"""Named by an operator; the first that was admitted; or one that counts no longer."""


class Known(msgspec.Struct, frozen=True):
    """Who signs for a publisher."""

    signer: Signer
    pin: Pin
    root: str = ""
    """Under which trusted root: another one could certify the same name. "" for a key, which needs none."""


class Holdings(msgspec.Struct, frozen=True):
    """What a home trusts, and what it learned of publishers from what it admitted."""

    roots: Mapping[str, str] = {}
    """``trusted_root.json`` by the operator's name for it."""
    keys: Mapping[str, str] = {}
    """PEM by the key's ``sha256:…``."""
    signers: Mapping[str, tuple[Known, ...]] = {}
    """By publisher."""
    floors: Mapping[str, str] = {}
    """The highest signed version that was ever admitted, by unit."""
    admitted: frozenset[str] = frozenset()
    """Digests of signed bundles that were admitted."""
    units: frozenset[str] = frozenset()
    """Every unit that was ever admitted."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """States that logs showed."""

    def pin(self, publisher: str, signer: Signer, root: str = "") -> Pin | None:
        """What somebody is to a publisher; ``None`` for strangers.

        :param root: under which trusted root they signed; "" asks for any
        """
        found = [known for known in self.signers.get(publisher, ()) if known.signer == signer]
        return next((known.pin for known in found if "" in (root, known.root) or known.root == root), None)

    def pinned(self, publisher: str) -> bool:
        """Whether anybody signs for a publisher."""
        return any(known.pin != "retired" for known in self.signers.get(publisher, ()))


class HoldingsFold:
    """Folds ``trust.imported`` and ``trust.retired``, and the signatures of ``unit.installed``."""

    name = "trust"
    version = 1
    topics: tuple[str, ...] = ("trust.imported", "trust.retired", "unit.installed")

    def init(self) -> Holdings:
        """Nobody is trusted."""
        return Holdings()

    def apply(self, state: Holdings, records: Sequence[Record], data: Callable[[Record], Any]) -> Holdings:
        """Follow what operators decide and what is admitted."""
        for record in records:
            if record.from_kernel:
                facts = data(record)
                follow = {"trust.imported": _imported, "trust.retired": _retired}.get(record.event.type, _installed)
                state = follow(state, facts)
        return state

    def snapshot(self, state: Holdings) -> bytes:
        """The whole as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Holdings:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Holdings)

    def view(self, state: Holdings) -> object:
        """Signers by publisher, and the names of roots and keys."""
        return {
            "roots": sorted(state.roots),
            "keys": sorted(state.keys),
            "signers": {
                publisher: [{"signer": one.signer.text, "pin": one.pin, "root": one.root} for one in known]
                for publisher, known in sorted(state.signers.items())
            },
            "floors": dict(sorted(state.floors.items())),
        }


def _imported(state: Holdings, facts: Mapping[str, Any]) -> Holdings:
    signers = state.signers
    if facts["publisher"]:
        root = "" if facts["kind"] == "key" else facts["name"]
        signers = _with(signers, facts["publisher"], Known(msgspec.convert(facts["signer"], Signer), "named", root))
    roots, keys = dict(state.roots), dict(state.keys)
    if facts["kind"] == "root":
        roots[facts["name"]] = facts["text"]
    elif facts["kind"] == "key":
        keys[facts["name"]] = facts["text"]
    return msgspec.structs.replace(state, roots=roots, keys=keys, signers=signers)


def _retired(state: Holdings, facts: Mapping[str, Any]) -> Holdings:
    name = facts["name"]
    signers = state.signers
    if facts["publisher"]:
        signers = _with(signers, facts["publisher"], Known(msgspec.convert(facts["signer"], Signer), "retired"))
    elif facts["kind"] == "key":
        for publisher, known in state.signers.items():
            if any(one.signer.key == name for one in known):
                signers = _with(signers, publisher, Known(Signer(key=name), "retired"))
    roots = {known: text for known, text in state.roots.items() if (facts["kind"], known) != ("root", name)}
    keys = {known: text for known, text in state.keys.items() if (facts["kind"], known) != ("key", name)}
    return msgspec.structs.replace(state, roots=roots, keys=keys, signers=signers)


def _installed(state: Holdings, facts: Mapping[str, Any]) -> Holdings:
    unit = facts["id"]
    state = msgspec.structs.replace(state, units=state.units | {unit})
    if "signature" not in facts:
        return state
    found = facts["signature"]
    publisher, signer = unit.partition("/")[0], msgspec.convert(found["signer"], Signer)
    signers = state.signers
    if state.pin(publisher, signer, found["root"]) is None:
        signers = _with(signers, publisher, Known(signer, "first", found["root"]))
    floor = state.floors.get(unit)
    higher = floor is None or Version(facts["version"]) > Version(floor)
    shown = msgspec.convert(found["checkpoints"], tuple[Checkpoint, ...])
    return msgspec.structs.replace(
        state,
        signers=signers,
        floors={**state.floors, unit: facts["version"]} if higher else state.floors,
        admitted=state.admitted | {facts["digest"]},
        checkpoints=tuple(dict.fromkeys((*state.checkpoints, *shown))),
    )


def _with(signers: Mapping[str, tuple[Known, ...]], publisher: str, new: Known) -> dict[str, tuple[Known, ...]]:
    others = tuple(
        known
        for known in signers.get(publisher, ())
        if known.signer != new.signer or ("" not in (known.root, new.root) and known.root != new.root)
    )
    return {**signers, publisher: (*others, new)}
