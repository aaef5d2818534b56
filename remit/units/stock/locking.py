"""``remit.lock``: which versions the wanted units resolved to, and where each came from. Text in, text out.

The file belongs into version control beside ``remit.toml``: another home that syncs with it gets the same digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import tomlkit

from remit.errors import LockInvalid, ValueInvalid
from remit.kernel.model import Release
from remit.schemas import Fault, formats, load_toml
from remit.schemas.own import faults
from remit.schemas.versions import is_version

__all__ = ["NAME", "Lock", "Locked", "locked", "read_lock", "write_lock"]

NAME = "remit.lock"
_MAX_LOCK = 4 << 20
_HEAD = "Written by 'remit unit sync' and 'remit unit upgrade': which version each wanted unit means."


class Locked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[[unit]]``."""

    id: str
    version: str
    digest: str
    source: str = ""
    """The reference that gave it."""
    signer: str = ""
    """Who signed it; "" for a local unit."""
    checkpoint: str = ""
    """The transparency log's checkpoint that its signature was verified against."""
    requires: dict[str, str] = {}


class Lock(msgspec.Struct, frozen=True, omit_defaults=True):
    """The file."""

    units: tuple[Locked, ...] = msgspec.field(default=(), name="unit")

    @property
    def digests(self) -> Mapping[str, str]:
        """Digests by unit."""
        return {unit.id: unit.digest for unit in self.units}

    def unit(self, unit_id: str) -> Locked | None:
        """The entry of a unit."""
        return next((unit for unit in self.units if unit.id == unit_id), None)

    def releases(self) -> dict[str, Release]:
        """What is locked, as it was when it was locked; by unit."""
        return {unit.id: Release(unit.id, unit.version, unit.digest, unit.source, unit.requires) for unit in self.units}


def locked(release: Release, signer: str = "", checkpoint: str = "") -> Locked:
    """The entry of a release that was admitted."""
    return Locked(
        release.id, release.version, release.digest, release.source, signer, checkpoint, dict(release.requires)
    )


def read_lock(data: bytes) -> Lock:
    """The lock in these bytes.

    :raises LockInvalid: with every fault, if it is not TOML, does not follow ``lock/v1``, or names a unit twice
    """
    try:
        document = load_toml(data, limit=_MAX_LOCK)
    except ValueInvalid as error:
        raise LockInvalid(f"{NAME}: {error.message}", **error.details) from error
    found = faults(formats.LOCK, document) or list(_odd(document.get("unit", [])))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise LockInvalid(
            f"{NAME} has {len(found)} fault(s): {found[0].path or NAME}: {found[0].message}{more}",
            faults=[{"path": fault.path, "message": fault.message} for fault in found],
        )
    return msgspec.convert(document, Lock)


def write_lock(units: Iterable[Locked]) -> str:
    """The text of a lock: one entry a unit, in the order of ids, so that two homes write the same."""
    root = tomlkit.document()
    root.add(tomlkit.comment(_HEAD))
    root["schema"] = formats.LOCK
    entries = tomlkit.aot()
    for unit in sorted(units, key=lambda one: one.id):
        table = tomlkit.table()
        for key, value in msgspec.to_builtins(unit).items():
            table[key] = _inline(value) if isinstance(value, dict) else value
        entries.append(table)
    if entries:
        root["unit"] = entries
    return tomlkit.dumps(root)


def _inline(value: Mapping[str, str]) -> Any:
    table = tomlkit.inline_table()
    table.update(dict(sorted(value.items())))
    return table


def _odd(units: list[dict[str, Any]]) -> Iterable[Fault]:
    seen: set[str] = set()
    for index, unit in enumerate(units):
        if unit["id"] in seen:
            yield Fault(f"unit[{index}].id", f"{unit['id']} is listed twice")
        if not is_version(unit["version"]):
            yield Fault(f"unit[{index}].version", f"{unit['version']!r} is no version")
        seen.add(unit["id"])
