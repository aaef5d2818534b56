"""Our own schemas: both judges agree, every fault is told, and the schemas say what the code says."""

from __future__ import annotations

import copy
import subprocess
import sys
from datetime import UTC, datetime

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit import schemas
from remit.errors import SchemaInvalid
from remit.journal.event import Event, encode_event
from remit.kernel.model import Limits
from remit.schemas import formats, own

UNIT = {
    "schema": "unit/v1",
    "id": "acme/redact",
    "version": "1.2.0",
    "kind": "tool",
    "runtime": {"artifact": "redact.wasm", "memory": "32MiB", "deadline": "250ms", "fuel": 5},
    "requires": {"remit": "*", "units": {"acme/base": "^1.0"}},
    "action": [{"name": "redact", "input": "in.json", "idempotent": True}],
    "capability": [{"action": "net:http", "resource": "https://a", "budget": {"window": "1h", "bytes": "1MiB"}}],
    "patch": [{"target": "assistant", "value": {"a": [1, None, 2.5]}}],
}
HOME = {
    "schema": "home/v1",
    "unit": [{"id": "acme/redact", "parameters": {"mask": "x"}, "slots": {"guard": True}}],
    "document": {"assistant": {"base": {}, "schema": "a.json"}},
    "slot": {"guard": {"many": True}},
    "policy": {"posture": "strict", "files": ["policy/*.cedar"]},
    "operator": {"local": {"roles": ["owner"]}},
    "plugin": {"disable": ["web"]},
    "secret": {"token": {"env": "TOKEN"}, "other": {"file": "secrets/other"}},
    "record": {"mode": "full"},
    "limits": {"memory": "1GiB", "host_calls": 5},
}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "//home/kernel",
    "type": "unit.applied",
    "time": "2026-01-31T12:00:00.000Z",
    "data": {"a": 1},
}
VALID = {formats.UNIT: UNIT, formats.HOME: HOME, formats.EVENT: EVENT}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["acme/x", "1MiB", "5s", "a.b", "name\n", "unit/v1", "sha256:" + "0" * 64, "tool", "", "a" * 300]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abid", max_size=3), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def mutants(draw):
    """A valid document of some format with one place replaced, removed or added to."""
    name = draw(st.sampled_from(sorted(VALID)))
    document = copy.deepcopy(VALID[name])
    path = draw(st.sampled_from(sorted(places(document), key=str)))
    replacement = draw(json_values)
    if not path:
        return name, draw(st.sampled_from([document, replacement]))
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    change = draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        parent[path[-1]] = replacement
    elif change == "remove":
        del parent[path[-1]]
    elif isinstance(parent, dict):
        parent[draw(st.text("abcmd", max_size=3))] = replacement
    else:
        parent.append(replacement)
    return name, document


@pytest.mark.parametrize("name", sorted(VALID))
def test_a_right_document_has_no_faults(name):
    assert schemas.faults(name, VALID[name]) == []
    assert schemas.is_valid(name, VALID[name])


@pytest.mark.parametrize("name", sorted(VALID))
def test_every_schema_is_itself_valid_and_closed(name):
    schema = schemas.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    stack = [schema]
    while stack:
        place = stack.pop()
        if isinstance(place, list):
            stack.extend(place)
        elif isinstance(place, dict):
            if "properties" in place and place.get("type") == "object":
                assert place["additionalProperties"] is False
            stack.extend(place.values())


@given(mutants())
def test_the_two_judges_agree(case):
    name, document = case
    # The explainer alone: faults() asks it only where the fast judge already said no.
    explained = own._explainer(name).is_valid(document) and not own.not_json(document)
    assert schemas.is_valid(name, document) == explained
    assert explained == (schemas.faults(name, document) == [])


@given(mutants())
def test_faults_are_sorted_unique_and_bounded(case):
    found = schemas.faults(*case)
    assert found == sorted(set(found))
    assert all(len(fault.message) < 700 and len(fault.path) < 700 for fault in found)


def test_an_unknown_key_names_the_nearest_known_one():
    found = schemas.faults("unit/v1", UNIT | {"capabilty": []})
    assert found == [schemas.Fault("capabilty", "unknown key (did you mean 'capability'?)")]


def test_every_fault_is_told_with_its_path():
    wrong = {"schema": "unit/v2", "id": "acme/redact", "kind": "tool", "capability": [{"budget": {"window": 3}}]}
    assert [fault.path for fault in schemas.faults("unit/v1", wrong)] == [
        "capability[0].action",
        "capability[0].budget.window",
        "capability[0].resource",
        "schema",
        "version",
    ]


def test_a_wrong_key_of_a_map_is_shown_with_its_path():
    found = schemas.faults("home/v1", HOME | {"slot": {"Bad Slot": {}}})
    assert [fault.path for fault in found] == ["slot['Bad Slot']"]


def test_a_last_newline_does_not_slip_through_a_pattern():
    assert schemas.faults("unit/v1", UNIT | {"id": "acme/redact\n"})
    assert not schemas.is_valid("unit/v1", UNIT | {"id": "acme/redact\n"})


@pytest.mark.parametrize(
    "odd", [datetime(2026, 1, 1, tzinfo=UTC), float("nan"), float("inf"), "\ud800", {1: 2}, {"\ud800": 1}, b"x"]
)
def test_what_json_does_not_have_is_a_fault(odd):
    assert schemas.faults("event/v1", EVENT | {"data": {"deep": [odd]}})


def test_deep_nesting_is_a_fault_and_not_a_crash():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested" in schemas.faults("event/v1", EVENT | {"data": deep})[0].message
    assert not schemas.is_valid("event/v1", EVENT | {"subject": deep})


def test_hostile_input_gives_a_bounded_report():
    found = schemas.faults("home/v1", {"schema": "home/v1"} | {f"key{n}": 1 for n in range(5000)})
    assert len(found) == 101
    assert found[-1].message == "and 4900 more faults"


def test_an_unknown_contract_is_refused():
    with pytest.raises(SchemaInvalid):
        schemas.faults("unit/v9", {})
    with pytest.raises(SchemaInvalid):
        schemas.text("../errors.py")


def test_a_written_event_follows_its_schema():
    event = Event(
        specversion="1.0", id="x", source="//h/kernel", type="unit.applied", time="2026-01-31T12:00:00.000Z",
        correlationid="c", causationid="d", dataref="sha256:" + "0" * 64, subject="acme/redact",
    )  # fmt: skip
    assert schemas.faults(formats.EVENT, msgspec.json.decode(encode_event(event))) == []


def test_the_event_schema_names_the_fields_of_the_struct():
    assert set(schemas.schema(formats.EVENT)["properties"]) == set(Event.__struct_fields__)


def test_the_schemas_carry_the_versions_that_the_code_does():
    assert schemas.schema(formats.UNIT)["properties"]["schema"]["const"] == formats.UNIT
    assert schemas.schema(formats.HOME)["properties"]["schema"]["const"] == formats.HOME
    assert f"package remit:unit@{formats.WORLD};" in schemas.text("unit.wit")


def test_the_host_ceilings_are_the_limits_of_a_call():
    ceilings = {
        name.replace("deadline", "deadline_ms")
        for name in schemas.schema(formats.HOME)["properties"]["limits"]["properties"]
    }
    assert ceilings <= set(Limits.__struct_fields__)


def test_importing_the_package_loads_neither_validator():
    code = "import remit.schemas, sys; print({'jsonschema', 'jsonschema_rs'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
