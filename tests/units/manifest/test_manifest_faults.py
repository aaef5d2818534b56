"""Each way in which a manifest can make no sense is a fault at its path."""

from __future__ import annotations

import pytest

from remit.units import manifest as m
from tests.units.manifests import CONFIG, NATIVE, TOOL, TRANSFORM, changed, faults_of, paths_of, toml


def test_toml_that_does_not_parse_is_one_fault_with_its_line():
    assert faults_of(b'schema = "unit/v1"\nid = \n') == [("", "line 2, column 6: Invalid value")]


def test_faults_of_schema_and_sense_are_told_together():
    document = changed(TOOL, version="one", idd=1, fills=[{"slot": "guard", "action": "redcat"}])
    assert faults_of(document) == [
        ("fills[0].action", "no [[action]] has that name (did you mean 'redact'?)"),
        ("idd", "unknown key (did you mean 'id'?)"),
        ("version", "must be a version of Semantic Versioning 2.0 like '1.2.0'"),
    ]


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "^1.0.0", "1.2.3 "])
def test_what_is_no_semantic_version_is_refused(version):
    assert paths_of(changed(TOOL, version=version)) == ["version"]


@pytest.mark.parametrize("text", ["abc", ">>1", "1.2.3.4.5", "^", "=>1"])
def test_what_is_no_range_is_refused(text):
    requires = {"remit": text, "world": text, "units": {"acme/base": text}}
    assert paths_of(changed(TOOL, requires=requires)) == [
        "requires.remit", "requires.units['acme/base']", "requires.world",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=0.1,<0.2", "0.1.9", "0.2.0"),
        (">= 0.1, < 0.2", "0.1.0", "0.2.0"),
        ("^1.0", "1.9.0", "2.0.0"),
        ("~1.2", "1.2.9", "1.3.0"),
        ("1.2.0 - 1.4.0", "1.3.0", "1.5.0"),
        ("^1 || ^3", "3.1.0", "2.0.0"),
        ("*", "9.9.9", "1.0.0-rc.1"),
        ("0.1", "0.1.7", "0.2.0"),
    ],
)
def test_ranges_hold_what_npm_says_and_a_comma_is_and(text, inside, outside):
    assert m.is_range(text)
    assert m.in_range(inside, text)
    assert not m.in_range(outside, text)


@pytest.mark.parametrize(
    ("base", "extra", "path"),
    [
        (CONFIG, {"runtime": TOOL["runtime"]}, "runtime"),
        (CONFIG, {"action": [{"name": "a"}]}, "action"),
        (CONFIG, {"capability": TOOL["capability"]}, "capability"),
        (CONFIG, {"on": TOOL["on"]}, "on"),
        (CONFIG, {"build": TOOL["build"]}, "build"),
        (CONFIG, {"patch": []}, "patch"),
        (TRANSFORM, {"capability": TOOL["capability"]}, "capability"),
        (TRANSFORM, {"action": [{"name": "a"}]}, "action"),
        (TRANSFORM, {"on": TOOL["on"]}, "on"),
        (TOOL, {"transform": TRANSFORM["transform"]}, "transform"),
        (TOOL, {"native": {"module": "acme.redact"}}, "native"),
        (NATIVE, {"transform": TRANSFORM["transform"]}, "transform"),
        (NATIVE, {"runtime": {"artifact": "unit.native.json", "memory": "64MiB"}}, "runtime.memory"),
        (NATIVE, {"runtime": {"artifact": "unit.native.json", "fuel": 1000}}, "runtime.fuel"),
        (NATIVE, {"runtime": {"artifact": "unit.native.json", "reuse": "fresh"}}, "runtime.reuse"),
        (NATIVE, {"build": {"tool": "wat", "source": "unit.wat"}}, "build.tool"),
        (NATIVE, {"action": [{"name": "redact", "export": "a:b/c#d"}]}, "action[0].export"),
        (TOOL, {"kind": "tol"}, "kind"),
    ],
)
def test_a_kind_has_no_more_than_its_power(base, extra, path):
    assert paths_of(changed(base, **extra)) == [path]


@pytest.mark.parametrize(
    ("base", "lacking", "path"),
    [
        (TOOL, "runtime", "runtime"),
        (NATIVE, "native", "native"),
        (TRANSFORM, "runtime", "runtime"),
        (TRANSFORM, "transform", "transform"),
    ],
)
def test_a_kind_has_no_less_than_it_needs(base, lacking, path):
    assert paths_of({key: part for key, part in base.items() if key != lacking}) == [path]


def test_a_tool_without_action_and_reaction_is_refused():
    bare = {key: part for key, part in TOOL.items() if key not in ("action", "on", "fills", "test")}
    assert paths_of(bare) == ["action"]
    assert m.parse(toml(bare | {"on": TOOL["on"]})).on


@pytest.mark.parametrize(
    ("table", "key"), [("action", "name"), ("fills", "slot"), ("on", "topic"), ("capability", "action")]
)
def test_what_is_declared_twice_is_refused(table, key):
    twice = [*TOOL[table], TOOL[table][0]]
    assert paths_of(changed(TOOL, **{table: twice})) == [f"{table}[{len(twice) - 1}].{key}"]


def test_a_golden_of_an_unknown_action_is_refused():
    assert paths_of(changed(TOOL, test=[{"action": "nope", "input": 1, "expect": 2}])) == ["test[0].action"]


@pytest.mark.parametrize("topic", ["lease.denied", "unit.applied", "home.created"])
def test_the_kernels_topics_are_not_for_units(topic):
    assert paths_of(changed(TOOL, on=[{"topic": topic}])) == ["on[0].topic"]
    assert paths_of(changed(TOOL, capability=[{"action": "events:emit", "resource": topic}])) == [
        "capability[0].resource"
    ]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": 1}, ""),
        (["x"], "[0]"),
        ([{"op": "ad", "path": "/a"}], "[0].op"),
        ([{"op": "add", "path": "/a"}], "[0].value"),
        ([{"op": "add", "path": "a", "value": 1}], "[0].path"),
        ([{"op": "add", "path": "/a~2", "value": 1}], "[0].path"),
        ([{"op": "move", "path": "/a"}], "[0].from"),
        ([{"op": "remove", "path": "/a", "value": 1}], "[0]"),
        ([{"op": "remove", "path": "/a/0"}], "[0].path"),
        ([{"op": "replace", "path": "/a/0/b", "value": 1}, {"op": "test", "path": "/a/0", "value": 2}], "[0].path"),
        ([{"op": "test", "path": "/a/1", "value": 2}, {"op": "remove", "path": "/a/0"}], "[1].path"),
        ([{"op": "copy", "from": "/a/3", "path": "/b"}], "[0].from"),
    ],
)
def test_a_malformed_json_patch_is_refused(value, where):
    assert paths_of(changed(TOOL, patch=[{"target": "a", "op": "json-patch", "value": value}])) == [
        f"patch[0].value{where}"
    ]


def test_an_index_after_a_test_of_its_element_is_accepted():
    value = [
        {"op": "test", "path": "/a/0/name", "value": "x"},
        {"op": "remove", "path": "/a/0"},
        {"op": "add", "path": "/a/-", "value": 1},
    ]
    m.parse(toml(changed(TOOL, patch=[{"target": "a", "op": "json-patch", "value": value}])))


def test_a_merge_patch_is_an_object():
    assert paths_of(changed(TOOL, patch=[{"target": "a", "value": [1]}])) == ["patch[0].value"]


def test_a_unit_cannot_need_or_conflict_with_itself():
    requires = {"units": {"acme/redact": "*", "acme/base": "*"}, "conflicts": ["acme/redact", "acme/base"]}
    assert paths_of(changed(TOOL, requires=requires)) == [
        "requires.conflicts[0]", "requires.conflicts[1]", "requires.units['acme/redact']",
    ]  # fmt: skip


def test_a_build_does_not_overwrite_its_source():
    assert paths_of(changed(TOOL, build={"tool": "componentize-py", "source": "redact.wasm"})) == ["build.source"]
    assert paths_of(changed(TOOL, build={"tool": "wat", "source": "src"})) == ["build.source"]


def test_an_export_of_another_world_is_not_built_from_python():
    named = [{"name": "redact", "export": "local:calc/api@1.0.0#add"}]
    assert paths_of(changed(TOOL, build={"tool": "componentize-py", "source": "src"}, action=named)) == [
        "action[0].export"
    ]
    wat = {"tool": "wat", "source": "unit.wat"}
    assert m.parse(toml(changed(TOOL, action=named, build=wat))).actions[0].export == named[0]["export"]
    odd = [{"name": "redact", "export": "no function"}]
    assert paths_of(changed(TOOL, action=odd, build=wat)) == ["action[0].export"]


def test_a_date_is_told_as_a_fault():
    text = toml(TOOL) + b"\n[[test]]\naction = 'redact'\ninput = 2026-01-01\nexpect = 1\n"
    assert paths_of(text) == ["test[1].input"]
