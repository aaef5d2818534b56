"""Every field of every schema, with any value in it: what is refused has a code and a path, nothing else is raised."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from remit import schemas
from remit.errors import RemitError
from remit.schemas import formats
from remit.schemas.config import load_config
from remit.units.manifest import parse
from remit.units.stock.locking import read_lock
from tests.schemas.test_own import HOME, UNIT

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
EXAMPLES = 60 if SOAK == 1 else 150 * SOAK
LEAVES = ("string", "integer", "number", "boolean")
LONGEST = 4_000
"""Characters of a message: a value from outside is told in part."""
LOCK = {
    "schema": "lock/v1",
    "unit": [
        {"id": "acme/redact", "version": "1.0.0", "digest": f"sha256:{'0' * 64}", "source": "oci://r/acme/redact"}
    ],
}
READERS: dict[str, tuple[dict[str, Any], Callable[[bytes], object]]] = {
    formats.UNIT: (UNIT, parse),
    formats.HOME: (HOME, load_config),
    formats.LOCK: (LOCK, read_lock),
}

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
scalars = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=True), text, st.sampled_from(["", "../x", "*"])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
Step = str | int


def schema_of(name: str) -> dict[str, Any]:
    file = Path(schemas.__file__).with_name(f"{name.replace('/', '-')}.json")
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


def fields(schema: Any, root: dict[str, Any], path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every place that a schema speaks of, with what it says there; the first element and one name stand for all."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if path:
        yield path, schema
    if not isinstance(schema, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, root, (*path, name))
    for inner in [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from fields(inner, root, (*path, "any"))
    if isinstance(schema.get("items"), dict):
        yield from fields(schema["items"], root, (*path, 0))


def put(document: Any, path: tuple[Step, ...], value: Any) -> Any:
    """The document with a value at a path, whatever has to be made on the way."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        listed = list(document) if isinstance(document, list) else []
        return [put(listed[0] if listed else None, rest, value), *listed[1:]]
    table = dict(document) if isinstance(document, dict) else {}
    table[step] = put(table.get(step), rest, value)
    return table


FIELDS = {
    name: list(dict.fromkeys((path, json.dumps(found)) for path, found in fields(schema_of(name), schema_of(name))))
    for name in READERS
}


@cache
def fitting(name: str, schema: str) -> st.SearchStrategy[Any]:
    """Values that a leaf's own schema takes: they come further than others. What lies above leaves is put together."""
    said = json.loads(schema)
    if not isinstance(said, dict) or (not {"enum", "const"} & said.keys() and said.get("type") not in LEAVES):
        return anything
    return from_schema(said | {"$defs": schema_of(name).get("$defs", {})})


@pytest.mark.parametrize("name", READERS)
def test_any_value_in_any_field_is_taken_or_refused_with_a_code_and_a_path(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    document, read = READERS[name]
    record_property(f"values in {len(FIELDS[name])} fields of {name}", EXAMPLES)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(FIELDS[name]), st.booleans(), st.data())
    def check(field: tuple[tuple[Step, ...], str], fits: bool, data: st.DataObject) -> None:
        path, schema = field
        value = data.draw(fitting(name, schema) if fits else anything)
        try:
            written = tomlkit.dumps(put(copy.deepcopy(document), path, value)).encode()
        except (TypeError, ValueError, UnicodeEncodeError):  # TOML has no null, and no number beyond 64 bits
            reject()
        refused = refusal(lambda: read(written))
        if refused is not None:
            assert refused.code.startswith("RM-")
            assert refused.remedy
            faults = refused.details["faults"]
            assert faults
            assert all(set(fault) == {"path", "message"} and fault["message"] for fault in faults)
            assert len(str(refused)) < LONGEST

    check()


def refusal(work: Callable[[], object]) -> RemitError | None:
    """The refusal, if it is one; anything else that is raised fails the test."""
    try:
        work()
    except RemitError as error:
        return error
    return None
