"""The wanted state: what ``remit.toml`` lists, edited by what a command says, and written back without losing comments.

Nothing here decides or resolves versions; :mod:`remit.units.planning.planner` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from remit.errors import ConfigInvalid, UnitUnknown, UsageError
from remit.journal import encode_json
from remit.schemas.config import Config, WantedUnit, load_config
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot
from remit.units.generations.splicing import spliced
from remit.units.generations.terms import Terms
from remit.units.manifest import is_range

__all__ = ["Edits", "edit_units", "parse_setting", "rewrite"]


class Edits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a command changes of the wanted state."""

    add: tuple[str, ...] = ()
    """``publisher/name`` or ``publisher/name@RANGE``; the newest installed version in the range is taken."""
    remove: tuple[str, ...] = ()
    set: dict[str, Any] = {}
    """Parameters by ``publisher/name.key``; ``None`` goes back to the default."""
    bind: dict[str, str] = {}
    """Units by the slot that each is to fill."""
    pin: dict[str, str] = {}
    """Versions by the unit that is to stay at them; ``=`` is the active one, "" lets it move again."""
    revert: str = ""
    """``last`` (undo the last change), a generation's number, or a unit's id."""
    with_state: bool = False
    """Whether a revert takes the units' state back too."""
    trial: tuple[str, ...] = ()
    """Versions to put on trial beside the active ones, written as in :attr:`add`; those on trial get other terms."""
    terms: Terms = Terms()
    """The terms of those."""
    promote: tuple[str, ...] = ()
    """Units whose version on trial becomes the active one."""
    keep_state: bool = False
    """Whether what their branches hold becomes the units' state; else it is dropped."""
    override: str = ""
    """Why they are promoted without the evidence that their terms ask for."""

    @property
    def names(self) -> frozenset[str]:
        """Units that the command names, and so may move to another installed version."""
        return frozenset(item.partition("@")[0] for item in self.add)


def parse_setting(text: str) -> tuple[str, Any]:
    """``acme/redact.mask="*"`` as a key and a JSON value.

    :raises UsageError: if it has no ``=`` or the value is not JSON
    """
    key, separator, value = text.partition("=")
    if not separator or "." not in key.partition("/")[2]:
        raise UsageError(f"{text!r} is not a setting", remedy="write --set publisher/name.key=JSON")
    try:
        return key, msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise UsageError(
            f"the value of {key} is not JSON: {value!r}", remedy=f"quote strings: --set '{key}=\"text\"'"
        ) from None


def edit_units(wanted: Sequence[WantedUnit], edits: Edits) -> list[WantedUnit]:
    """The wanted units after the edits, in order; new ones come last, with no range where none was named.

    :raises UsageError: if an item is malformed
    :raises UnitUnknown: if a unit to remove or to set is not wanted
    """
    units = {unit.id: unit for unit in wanted}
    for item in edits.add:
        unit_id, separator, version_range = item.partition("@")
        if "/" not in unit_id or (separator and not is_range(version_range)):
            raise UsageError(f"{item!r} is not a unit", remedy="write publisher/name or publisher/name@RANGE")
        known = units.get(unit_id, WantedUnit(id=unit_id, version=""))
        units[unit_id] = msgspec.structs.replace(known, version=version_range) if separator else known
    for unit_id in edits.remove:
        if units.pop(unit_id, None) is None:
            raise UnitUnknown(f"{unit_id} is not wanted, so it cannot be removed")
    for path, value in edits.set.items():
        publisher, _, rest = path.partition("/")
        name, _, key = rest.partition(".")
        unit_id = f"{publisher}/{name}"
        if unit_id not in units:
            raise UnitUnknown(f"{unit_id} is not wanted, so its parameter {key!r} cannot be set")
        if _holds_null(value):
            raise UsageError(f"{path} holds a null, which remit.toml cannot say", remedy="leave the key out")
        parameters = dict(units[unit_id].parameters)
        if value is None:
            parameters.pop(key, None)
        else:
            parameters[key] = value
        units[unit_id] = msgspec.structs.replace(units[unit_id], parameters=parameters)
    return list(units.values())


def rewrite(text: str, units: Sequence[ActiveUnit], documents: Mapping[str, DocumentSnapshot], config: Config) -> str:
    """``remit.toml`` with its ``[[unit]]`` entries and document bases made to say what a generation holds.

    Entries that stay keep their comments and formatting; if nothing differs the text is returned as it is.

    :raises ConfigInvalid: if the text is not TOML
    """
    wanted = [
        WantedUnit(id=unit.ref.id, version=unit.range, parameters=unit.parameters, slots=unit.choices, pin=unit.pin)
        for unit in units
    ]
    same = encode_json(wanted) == encode_json(config.units)
    if same and all(_declared(name, snapshot, config) for name, snapshot in documents.items()):
        return text
    try:
        if not same:
            quick = spliced(text, config.units, wanted, _write_units)
            if quick is not None and _says(quick, wanted, documents, config):
                return quick
    except TOMLKitError:
        pass  # an entry that cannot be read alone
    try:
        root = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigInvalid(f"remit.toml cannot be edited: {error}") from error
    if not same:
        _write_units(root, wanted)
    _write_documents(root, documents, config)
    return tomlkit.dumps(root)


def _says(text: str, wanted: Sequence[WantedUnit], documents: Mapping[str, DocumentSnapshot], config: Config) -> bool:
    """Whether a text says exactly what is wanted, and of everything else what the file said before."""
    try:
        said = load_config(text.encode())
    except ConfigInvalid:
        return False
    whole = msgspec.structs.replace(config, units=said.units)
    return (
        encode_json(said.units) == encode_json(wanted)
        and encode_json(said) == encode_json(whole)
        and all(_declared(name, snapshot, said) for name, snapshot in documents.items())
    )


def _declared(name: str, snapshot: DocumentSnapshot, config: Config) -> bool:
    declared = config.documents.get(name)
    return (
        declared is not None
        and encode_json(declared.base) == encode_json(snapshot.base)
        and (isinstance(declared.schema, str) or encode_json(declared.schema) == encode_json(snapshot.schema))
    )


def _write_documents(root: Any, documents: Mapping[str, DocumentSnapshot], config: Config) -> None:
    for name, snapshot in documents.items():
        declared = config.documents.get(name)
        if declared is None:
            tables = root.setdefault("document", tomlkit.table(is_super_table=True))
            tables[name] = {"base": snapshot.base} | ({} if snapshot.schema is None else {"schema": snapshot.schema})
            continue
        if encode_json(declared.base) != encode_json(snapshot.base):
            root["document"][name]["base"] = snapshot.base
        # A schema in a file is the operator's own: only one that stands here can be put back.
        if not isinstance(declared.schema, str) and encode_json(declared.schema) != encode_json(snapshot.schema):
            if snapshot.schema is None:
                del root["document"][name]["schema"]
            else:
                root["document"][name]["schema"] = snapshot.schema


def _write_units(root: tomlkit.TOMLDocument, wanted: Sequence[WantedUnit]) -> None:
    """Make ``[[unit]]`` say what is wanted, where it stands, touching as little of what is written as possible."""
    existing = root.get("unit")
    entries = existing if isinstance(existing, AoT) else tomlkit.aot()
    tables = {table["id"]: table for table in entries}
    tail = _loose_ends(tables, {unit.id for unit in wanted})
    while len(entries):
        del entries[-1]
    for unit in wanted:
        table = tables.get(unit.id) or _new(unit.id, entries)
        _fill(table, unit)
        entries.append(table)
    if wanted:
        _put_back(entries[-1], tail)
    if entries is not existing or not wanted:
        root.pop("unit", None)
    if wanted and entries is not existing:
        root["unit"] = entries
    if not wanted:
        for item in tail:
            root.add(item)


def _loose_ends(tables: Mapping[str, Any], kept: set[str]) -> list[Any]:
    """What stands behind the last entry, and behind entries that go.

    What follows the last entry most likely speaks of the next section, so it is given back to stand in front of that;
    what follows an entry that goes stays behind the one before it.
    """
    last = list(tables)[-1:]
    tail = _take_tail(tables[last[0]]) if last else []
    before, loose = None, []
    for unit_id, table in tables.items():
        if unit_id in kept:
            before = table
        elif before is not None:
            _put_back(before, _take_tail(table))
        else:
            loose += _take_tail(table)
    return loose + tail


def _new(unit_id: str, entries: AoT) -> Any:
    if len(entries):
        entries[-1].add(tomlkit.nl())
    table = tomlkit.table()
    table["id"] = unit_id
    return table


def _take_tail(table: Any) -> list[Any]:
    """Comments and blank lines behind the last key of a table, taken off it."""
    body = table.value.body
    tail: list[Any] = []
    while body and body[-1][0] is None:
        tail.insert(0, body.pop()[1])
    return tail


def _put_back(table: Any, items: Sequence[Any]) -> None:
    table.value.body.extend((None, item) for item in items)


def _fill(table: Any, unit: WantedUnit) -> None:
    if (unit.version != "*" or "version" in table) and table.get("version") != unit.version:
        table["version"] = unit.version
    for key, value in (("parameters", unit.parameters), ("slots", unit.slots), ("pin", unit.pin)):
        if not value:
            table.pop(key, None)
        elif key not in table or encode_json(table[key].unwrap()) != encode_json(value):
            table[key] = value


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(item is None or _holds_null(item) for item in value.values())
    if isinstance(value, list):
        return any(item is None or _holds_null(item) for item in value)
    return False
