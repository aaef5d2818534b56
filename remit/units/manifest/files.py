"""Whether the files that a manifest names are there and mean what it says: schemas, defaults, goldens, the artifact.

:func:`check_files` is pure and judges bytes; :func:`check` reads a folder for it. No artifact is compiled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import ManifestInvalid, SchemaInvalid, ValueInvalid
from remit.schemas import Fault, Validator, in_order
from remit.schemas.folder import read_inside
from remit.schemas.foreign import MAX_SCHEMA_BYTES
from remit.schemas.toml import MAX_TOML_BYTES
from remit.units.manifest.parse import parse

if TYPE_CHECKING:
    from pathlib import Path

    from remit.units.manifest.model import Manifest

__all__ = ["MANIFEST", "check", "check_files", "schema_files"]

MANIFEST = "unit.toml"
_MAX_ARTIFACT = 64 << 20


def schema_files(manifest: Manifest) -> dict[str, str]:
    """The schema files that a manifest names, by the path that names them (``action[0].input``)."""
    named = {"parameters.schema": manifest.parameters.schema}
    for index, action in enumerate(manifest.actions):
        named[f"action[{index}].input"] = action.input
        named[f"action[{index}].output"] = action.output
    return {path: name for path, name in named.items() if name is not None}


def check_files(manifest: Manifest, files: Mapping[str, bytes], *, artifact: bool = True) -> list[Fault]:
    """Everything that is wrong between a manifest and its files, sorted by path.

    :param files: contents by name
    :param artifact: whether the artifact must be there already
    """
    return in_order(_file_faults(manifest, files, artifact=artifact))


def check(directory: Path, *, artifact: bool = True) -> tuple[Manifest | None, list[Fault]]:
    """Check a unit's folder: its manifest (``None`` where it has faults) and every fault.

    :param artifact: whether the artifact must be there already
    """
    try:
        text = read_inside(directory, MANIFEST, limit=MAX_TOML_BYTES)
    except ValueInvalid as error:
        return None, [Fault("", error.message)]
    if text is None:
        return None, [Fault("", f"the folder has no {MANIFEST}")]
    try:
        manifest = parse(text)
    except ManifestInvalid as error:
        return None, [Fault(**fault) for fault in error.details["faults"]]
    files, unreadable = _read(directory, manifest)
    rest = [fault for fault in _file_faults(manifest, files, artifact=artifact) if fault.path not in unreadable]
    return manifest, in_order([*(Fault(path, why) for path, why in unreadable.items()), *rest])


def _read(directory: Path, manifest: Manifest) -> tuple[dict[str, bytes], dict[str, str]]:
    wanted = [(path, name, MAX_SCHEMA_BYTES) for path, name in schema_files(manifest).items()]
    if manifest.runtime is not None:
        wanted.append(("runtime.artifact", manifest.runtime.artifact, _MAX_ARTIFACT))
    files: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    for path, name, limit in wanted:
        try:
            data = read_inside(directory, name, limit=limit)
        except ValueInvalid as error:
            unreadable[path] = error.message
            continue
        if data is not None:
            files[name] = data
    return files, unreadable


def _file_faults(manifest: Manifest, files: Mapping[str, bytes], *, artifact: bool) -> Iterator[Fault]:
    runtime = manifest.runtime
    if artifact and runtime is not None and runtime.artifact not in files:
        yield Fault("runtime.artifact", f"{runtime.artifact!r} is not there: run 'remit unit build' first")
    schemas: dict[str, dict[str, Any] | bool] = {}
    for path, name in schema_files(manifest).items():
        try:
            schemas[path] = _schema(name, files)
        except SchemaInvalid as error:
            yield Fault(path, error.message)
    yield from _default_faults(manifest, schemas.get("parameters.schema", True))
    yield from _golden_faults(manifest, schemas)


def _schema(name: str, files: Mapping[str, bytes]) -> dict[str, Any] | bool:
    if name not in files:
        raise SchemaInvalid(f"{name!r} is not there")
    if len(files[name]) > MAX_SCHEMA_BYTES:
        raise SchemaInvalid(f"{name!r} has more than {MAX_SCHEMA_BYTES} bytes")
    try:
        schema: Any = msgspec.json.decode(files[name])
    except (ValueError, RecursionError) as error:
        raise SchemaInvalid(f"{name!r} is not JSON: {str(error)[:100]}") from error
    try:
        Validator(schema)
    except SchemaInvalid as error:
        raise SchemaInvalid(f"{name!r}: {error.message}") from error
    checked: dict[str, Any] | bool = schema
    return checked


def _default_faults(manifest: Manifest, schema: dict[str, Any] | bool) -> Iterator[Fault]:
    # What is required may still come from the operator: only what is given must be right.
    relaxed = schema | {"required": []} if isinstance(schema, dict) else schema
    yield from _under("parameters.defaults", Validator(relaxed).faults(manifest.parameters.defaults))


def _golden_faults(manifest: Manifest, schemas: Mapping[str, dict[str, Any] | bool]) -> Iterator[Fault]:
    positions = {action.name: index for index, action in enumerate(manifest.actions)}
    for number, golden in enumerate(manifest.tests):
        place = f"action[{positions[golden.action]}]"
        for side, schema_side, value in (("input", "input", golden.input), ("expect", "output", golden.expect)):
            schema = schemas.get(f"{place}.{schema_side}", True)
            yield from _under(f"test[{number}].{side}", Validator(schema).faults(value))


def _under(path: str, found: list[Fault]) -> Iterator[Fault]:
    for fault in found:
        separator = "" if fault.path.startswith("[") or not fault.path else "."
        yield Fault(f"{path}{separator}{fault.path}", fault.message)
