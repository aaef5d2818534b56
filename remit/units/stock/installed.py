"""Installed units: what the journal says was admitted, and their files in the blobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from semantic_version.base import Version

from remit.errors import BundleInvalid, UnitUnknown
from remit.journal import Blobs, Record
from remit.kernel.model import UnitRef
from remit.units.manifest import Manifest, in_range, parse

__all__ = ["Installed", "InstalledFold", "InstalledUnit", "Library", "Withdrawn"]

_TITLE = "org.opencontainers.image.title"
"""The annotation that names a layer's file (OCI image-spec, annotations)."""


class InstalledUnit(msgspec.Struct, frozen=True):
    """A unit that was admitted to the home; it runs only when a generation makes it active."""

    ref: UnitRef
    title: str
    origin: str
    """Where it came from, as the installer named it."""
    seq: int
    """The journal's record of the installation."""
    signer: str = ""
    """Who signed it, for people; "" where nobody did."""
    checkpoint: str = ""
    """The log's state that its signature was verified against: name, size and root; "" without a log."""
    warnings: tuple[str, ...] = ()
    """What was odd about it when it came."""


class Withdrawn(msgspec.Struct, frozen=True):
    """A version that its registry took back, as the last sync found."""

    unit: str
    version: str
    digest: str
    kind: Literal["yanked", "killed"]
    """Yanked: no range means it any more. Killed: it may run nowhere."""
    reason: str = ""
    source: str = ""


class Installed(msgspec.Struct, frozen=True):
    """Every installed unit, by digest, in the order of installation; and what was withdrawn, installed or not."""

    by_digest: Mapping[str, InstalledUnit] = {}
    withdrawn: Mapping[str, Withdrawn] = {}

    def candidates(self, unit_id: str, version_range: str, *, standing: bool = False) -> list[InstalledUnit]:
        """Installed versions of a unit in a range, best first: highest version, then installed last.

        :param standing: whether those that were withdrawn are left out
        """
        found = [
            unit
            for unit in self.by_digest.values()
            if unit.ref.id == unit_id
            and in_range(unit.ref.version, version_range)
            and not (standing and unit.ref.digest in self.withdrawn)
        ]
        return sorted(found, key=lambda unit: (Version(unit.ref.version), unit.seq), reverse=True)

    def best(self, unit_id: str, version_range: str = "*", *, standing: bool = False) -> InstalledUnit:
        """The best installed version in a range.

        :param standing: whether those that were withdrawn are left out
        :raises UnitUnknown: if there is none, saying which versions there are
        """
        found = self.candidates(unit_id, version_range, standing=standing)
        if found:
            return found[0]
        others = ", ".join(map(self._named, self.candidates(unit_id, "*")))
        have = f"installed: {others}" if others else "it is not installed"
        wanted = "" if version_range == "*" else f" in {version_range}"
        raise UnitUnknown(f"no installed {unit_id}{wanted} ({have})")

    def _named(self, unit: InstalledUnit) -> str:
        withdrawn = self.withdrawn.get(unit.ref.digest)
        return unit.ref.version if withdrawn is None else f"{unit.ref.version}, which was {withdrawn.kind}"


class InstalledFold:
    """Folds ``unit.installed``, ``unit.removed`` and ``unit.withdrawn``."""

    name = "logic_units"
    version = 3
    topics: tuple[str, ...] = ("unit.installed", "unit.removed", "unit.withdrawn")

    def init(self) -> Installed:
        """Nothing installed."""
        return Installed()

    def apply(self, state: Installed, records: Sequence[Record], data: Callable[[Record], Any]) -> Installed:
        """Add and remove units, and mark what was withdrawn."""
        units, withdrawn = dict(state.by_digest), dict(state.withdrawn)
        for record in records:
            if not record.from_kernel:
                continue
            facts = data(record)
            if record.event.type == "unit.removed":
                units.pop(facts["digest"], None)
                continue
            if record.event.type == "unit.withdrawn":
                withdrawn[facts["digest"]] = msgspec.convert(facts, Withdrawn)
                continue
            ref = msgspec.convert({key: facts[key] for key in UnitRef.__struct_fields__}, UnitRef)
            units.pop(ref.digest, None)
            units[ref.digest] = InstalledUnit(
                ref,
                facts["title"],
                facts["origin"],
                record.seq,
                facts.get("signer", ""),
                facts.get("checkpoint", ""),
                tuple(facts.get("warnings", ())),
            )
        return Installed(units, withdrawn)

    def snapshot(self, state: Installed) -> bytes:
        """The units as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Installed:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Installed)

    def view(self, state: Installed) -> object:
        """The units, in the order of installation, each with what became of it."""
        return [
            msgspec.to_builtins(unit) | {"withdrawn": withdrawn.kind if withdrawn else "", "why": _why(withdrawn)}
            for unit in state.by_digest.values()
            for withdrawn in [state.withdrawn.get(unit.ref.digest)]
        ]


def _why(withdrawn: Withdrawn | None) -> str:
    return withdrawn.reason if withdrawn else ""


class Library:
    """The files of admitted units, read from the blobs and checked against their digests."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        # Bundles never change under their digest, so what was read once stays true.
        self.manifest: Callable[[str], Manifest] = lru_cache(maxsize=2048)(self._manifest)

    def forget(self) -> None:
        """Read everything anew: blobs were removed."""
        self.manifest = lru_cache(maxsize=2048)(self._manifest)

    def layers(self, digest: str) -> dict[str, str]:
        """The blobs of a unit's files by name.

        :raises BlobMissing: if the bundle is not here
        :raises BundleInvalid: if its manifest is not an OCI image manifest with named layers
        """
        try:
            manifest = msgspec.json.decode(self._blobs.get(digest))
            return {layer["annotations"][_TITLE]: layer["digest"] for layer in manifest["layers"]}
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise BundleInvalid(f"{digest} is not a unit's bundle") from error

    def file(self, digest: str, name: str) -> bytes:
        """One file of a unit.

        :raises BundleInvalid: if the bundle has no such file
        """
        try:
            return self._blobs.get(self.layers(digest)[name])
        except KeyError:
            raise BundleInvalid(f"the bundle {digest} has no file {name!r}") from None

    def schema(self, digest: str, name: str | None) -> dict[str, Any] | None:
        """A JSON Schema of a unit; ``None`` where the manifest names none."""
        if name is None:
            return None
        schema: dict[str, Any] = msgspec.json.decode(self.file(digest, name))
        return schema

    def artifact(self, digest: str) -> str | None:
        """The digest of a unit's component, or ``None`` where it has no code."""
        runtime = self.manifest(digest).runtime
        return None if runtime is None else self.layers(digest)[runtime.artifact]

    def artifact_bytes(self, artifact: str) -> bytes:
        """A component, by its digest.

        :raises BlobMissing: if it is not here
        """
        return self._blobs.get(artifact)

    def _manifest(self, digest: str) -> Manifest:
        return parse(self.file(digest, "unit.toml"))
