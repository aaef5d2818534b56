"""Where units come from: a folder with ``unit.toml``, a ``.unit`` file, or a registry. Only folders are local.

A folder gives the files that its manifest names, its readme and its licence, and nothing else: sources, tests and
whatever lies about are not packed. The manifest is read here only for the names of files; whether it is right is judged
elsewhere.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remit.errors import ArtifactMissing, BundleInvalid, ManifestInvalid, RegistryUnknown, ValueInvalid
from remit.kernel.ports import no_progress
from remit.registry.bundle import MANIFEST, MAX_FILE, pack
from remit.registry.reference import SCHEME, parse, parse_registry
from remit.registry.unitfile import MAX_UNIT_FILE, decode
from remit.schemas import load_toml
from remit.schemas.config import load_config
from remit.schemas.folder import read_inside

if TYPE_CHECKING:
    from remit.kernel.model import Bundle
    from remit.kernel.ports import Home, Progress

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

        :raises RegistryUnknown: if no registry of the home covers the unit's publisher
        :raises Yanked: if every version in the range was withdrawn, or the digest was
        :raises RegistryError: if the registry cannot be used, or answers with anything else
        """
        from remit.registry.client import RegistryClient  # noqa: PLC0415 - loads HTTP, which most homes never need

        wanted = parse(reference if reference.startswith(SCHEME) else self._placed(reference))
        with RegistryClient(wanted.registry, self._home.clock if self._home else None) as client:
            return client.pull(client.standing(wanted), progress)

    def _placed(self, reference: str) -> str:
        """A unit that is named without a place, as a whole reference.

        The first registry that covers the publisher is the only one: a unit of the same name elsewhere is never taken.
        """
        assert self._home is not None
        unit, separator, wanted = reference.partition("@")
        for choice in load_config(self._home.config_path.read_bytes()).registry.values():
            if {"*", unit.partition("/")[0]} & set(choice.publishers):
                registry = parse_registry(choice.url)
                return f"{SCHEME}{registry.host}/{registry.repository(unit)}{separator}{wanted}"
        raise RegistryUnknown(f"no registry of this home covers {unit}")


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
