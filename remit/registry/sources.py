"""Where units come from: a folder with ``unit.toml``, a ``.unit`` file, or a registry. Only folders are local.

A folder gives the files that its manifest names, its readme and its licence, and nothing else: sources, tests and
whatever lies about are not packed. The manifest is read here only for the names of files; whether it is right is judged
elsewhere.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remit.errors import (
    ArtifactMissing,
    BundleError,
    BundleInvalid,
    ManifestInvalid,
    RegistryError,
    RegistryUnknown,
    ValueInvalid,
)
from remit.kernel.ports import no_progress
from remit.registry.bundle import MANIFEST, MAX_FILE, pack
from remit.registry.places import Place, places_of
from remit.registry.reference import SCHEME, Reference, Registry, parse
from remit.registry.unitfile import MAX_UNIT_FILE, decode
from remit.schemas import load_toml
from remit.schemas.folder import read_inside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remit.kernel.model import Bundle, Release
    from remit.kernel.ports import Home, Progress
    from remit.registry.client import RegistryClient

__all__ = ["FolderSource", "RegistrySource", "UnitFileSource"]

_SUFFIX = ".unit"
_NAMED = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*(@[^/]{1,128})?")
_OPTIONAL = ("README.md", "LICENSE")


class FolderSource:
    """A unit's folder, as its author has it."""

    def accepts(self, reference: str) -> bool:
        """Whether the reference is a folder."""
        return _is_folder(reference)

    def fetch(self, reference: str, progress: Progress = no_progress) -> Bundle:
        """The bundle of the folder's unit.

        :raises ManifestInvalid: if ``unit.toml`` is not TOML
        :raises ArtifactMissing: if the artifact is not built
        :raises BundleInvalid: if a file is missing, leads out of the folder, is not a regular file, or is too large
        """
        root = Path(reference)
        text = _read(root, MANIFEST, MAX_FILE)
        if text is None:
            raise BundleInvalid(f"{reference} has no {MANIFEST}", remedy="name a unit's folder")
        artifact, others = _named(text)
        files = {MANIFEST: text}
        wanted = [*([artifact] if artifact else []), *others, *_OPTIONAL]
        for index, name in enumerate(wanted):
            progress(f"reading {name}", index / len(wanted))
            data = _read(root, name, MAX_FILE)
            if data is not None:
                files[name] = data
            elif name == artifact:
                raise ArtifactMissing(f"{reference} has no {name}", remedy=f"run 'remit unit build {reference}' first")
            elif name not in _OPTIONAL:
                raise BundleInvalid(f"{MANIFEST} names {name!r}, which is not there", remedy="add the file")
        progress("reading", 1.0)
        return pack(files, origin=reference, local=True)


class UnitFileSource:
    """A ``.unit`` file."""

    def accepts(self, reference: str) -> bool:
        """Whether the reference is named like one and is not a folder."""
        return reference.endswith(_SUFFIX) and not _is_folder(reference)

    def fetch(self, reference: str, progress: Progress = no_progress) -> Bundle:
        """The bundle in the file.

        :raises BundleInvalid: if there is no such file, or it is not a ``.unit`` file byte for byte
        """
        progress(f"reading {reference}", 0.0)
        try:
            place = Path(reference).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a NUL in the name
            raise BundleInvalid(f"{reference!r} cannot be read: {type(error).__name__}") from error
        data = _read(place.parent, place.name, MAX_UNIT_FILE)
        if data is None:
            raise BundleInvalid(f"there is no file {reference}", remedy="check the path")
        bundle = decode(data, origin=reference)
        progress(f"reading {reference}", 1.0)
        return bundle


class RegistrySource:
    """A unit in an OCI registry: ``oci://HOST/REPOSITORY@VERSION``, or ``publisher/name@RANGE`` in the home's own.

    :param home: whose ``[registry]`` tables count; without one, only whole references are understood
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = home

    def accepts(self, reference: str) -> bool:
        """Whether the reference names a registry, or a unit without a place."""
        return reference.startswith(SCHEME) or (self._home is not None and _NAMED.fullmatch(reference) is not None)

    def fetch(self, reference: str, progress: Progress = no_progress) -> Bundle:
        """The bundle there, with what refers to it.

        What is named by its digest may come from a peer of the registry, which is asked first: it is checked the same.

        :raises RegistryUnknown: if no registry of the home covers the unit's publisher
        :raises Yanked: if every version in the range was withdrawn, or the digest was
        :raises NotAttested: if the home pins the registry's root, and its keeper does not list what is meant
        :raises RegistryError: if the registry cannot be used, or answers with anything else
        """
        from remit.registry.offering import Offering  # noqa: PLC0415 - loads HTTP, which most homes never need

        if not reference.startswith(SCHEME):
            return self._fetch_named(reference, progress)
        wanted = parse(reference)
        place = next((one for one in self._places() if one.unit_of(wanted)), Place(wanted.registry))
        held = Offering(wanted.registry, lambda: self._client(wanted.registry), place.anchor).standing(wanted)
        return self._from_peer(place, held, progress) or self._pull(held, progress)

    def _pull(self, wanted: Reference, progress: Progress) -> Bundle:
        with self._client(wanted.registry) as client:
            return client.pull(wanted, progress)

    def _fetch_named(self, reference: str, progress: Progress) -> Bundle:
        unit, separator, wanted = reference.partition("@")
        place = self._covering(unit)
        if place is None:
            raise RegistryUnknown(f"no registry of this home covers {unit}")
        whole = f"{SCHEME}{place.registry.host}/{place.registry.repository(unit)}{separator}{wanted}"
        return self.fetch(whole, progress)

    def _from_peer(self, place: Place, wanted: Reference, progress: Progress) -> Bundle | None:
        """What a peer holds under the very digest; ``None`` where none does, or can be used."""
        for peer in place.peers if wanted.digest else ():
            there = Reference(peer, peer.repository(place.unit_of(wanted)), digest=wanted.digest)
            with suppress(RegistryError, BundleError):
                return self._pull(there, progress)
        return None

    def releases(self) -> Callable[[str], Sequence[Release] | None]:
        """What the home's registries offer at this moment: each is asked once, when its first unit is asked for.

        :raises RegistryError: from the question, if a registry cannot be used
        """
        from remit.registry.offering import Offering  # noqa: PLC0415 - as above

        offerings: dict[str, Offering] = {}

        def ask(unit: str) -> Sequence[Release] | None:
            place = self._covering(unit)
            if place is None:
                return None
            key = str(place.registry)
            if key not in offerings:
                offerings[key] = Offering(place.registry, lambda: self._client(place.registry), place.anchor)
            return offerings[key].releases(unit)

        return ask

    def _client(self, registry: Registry) -> RegistryClient:
        from remit.registry.client import RegistryClient  # noqa: PLC0415 - as above

        return RegistryClient(registry, self._home.clock if self._home else None)

    def _covering(self, unit: str) -> Place | None:
        """Where a unit comes from.

        The first that covers the publisher is the only one: a unit of the same name elsewhere is never taken.
        """
        return next((place for place in self._places() if place.covers(unit.partition("/")[0])), None)

    def _places(self) -> Sequence[Place]:
        return [] if self._home is None else places_of(self._home)


def _is_folder(reference: str) -> bool:
    # The function, because the method of Path raises for a name that is too long or a folder that may not be entered.
    return reference != "" and os.path.isdir(reference)  # noqa: PTH112 - see above


def _read(root: Path, name: str, limit: int) -> bytes | None:
    try:
        return read_inside(root, name, limit=limit)
    except ValueInvalid as error:
        raise BundleInvalid(error.message, remedy=error.remedy or None) from error


def _named(text: bytes) -> tuple[str, list[str]]:
    """The artifact that a manifest names (or "") and its other files, each once; odd shapes are skipped."""
    try:
        document = load_toml(text)
    except ValueInvalid as error:
        raise ManifestInvalid(f"{MANIFEST}: {error.message}", faults=error.details["faults"]) from error
    actions = document.get("action")
    tables: list[Any] = [document.get("parameters"), *(actions if isinstance(actions, list) else [])]
    found = [
        table[key]
        for table in tables
        if isinstance(table, dict)
        for key in ("schema", "input", "output")
        if isinstance(table.get(key), str)
    ]
    runtime = document.get("runtime")
    artifact = runtime.get("artifact") if isinstance(runtime, dict) else None
    artifact = artifact if isinstance(artifact, str) else ""
    return artifact, [name for name in dict.fromkeys(found) if name not in (artifact, MANIFEST, *_OPTIONAL)]
