"""The manifest: read whole, every fault told, nothing but ``ManifestInvalid`` from any text."""

from __future__ import annotations

import copy
import json

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import ManifestInvalid
from remit.kernel.model import Budget, Capability, Limits
from remit.schemas import Fault
from remit.units import manifest as m

TOOL = {
    "schema": "unit/v1",
    "id": "acme/redact",
    "version": "1.2.0",
    "kind": "tool",
    "title": "Redact personal data",
    "license": "Apache-2.0",
    "runtime": {
        "abi": "component",
        "artifact": "redact.wasm",
        "memory": "64MiB",
        "deadline": "250ms",
        "fuel": 200_000_000,
        "reuse": "kept",
    },
    "requires": {
        "remit": ">=0.1,<0.2",
        "world": "0.1",
        "units": {"acme/base": "^1.0"},
        "conflicts": ["acme/old-redact"],
    },
    "parameters": {"schema": "schemas/parameters.json", "defaults": {"mask": "█"}},
    "action": [
        {"name": "redact", "input": "schemas/in.json", "output": "schemas/out.json", "idempotent": True},
        {"name": "count", "title": "Count only"},
    ],
    "fills": [{"slot": "guard", "action": "redact"}],
    "on": [{"topic": "ticket.created", "qos": "background", "attempts": 5}],
    "capability": [
        {
            "action": "net:http",
            "resource": "https://dictionary.example.com",
            "methods": ["GET"],
            "reason": "fetch the list of names to mask",
            "budget": {"window": "1h", "calls": 1000, "bytes": "1MiB"},
            "optional": True,
        },
        {"action": "events:emit", "resource": "text.redacted"},
    ],
    "patch": [
        {"target": "assistant", "op": "merge", "value": {"guards": {"redact": True}}},
        {"target": "routing", "op": "json-patch", "value": [{"op": "add", "path": "/a", "value": 1}]},
    ],
    "test": [{"action": "redact", "input": {"text": "mail bob@example.com"}, "expect": {"text": "mail █"}}],
    "build": {"tool": "componentize-py", "source": "src"},
}
CONFIG = {
    "schema": "unit/v1",
    "id": "acme/tone",
    "version": "0.1.0",
    "kind": "config",
    "patch": [{"target": "assistant", "value": {"tone": "warm"}}],
}
TRANSFORM = {
    "schema": "unit/v1",
    "id": "acme/score",
    "version": "0.1.0-rc.1",
    "kind": "transform",
    "runtime": {"artifact": "score.wasm"},
    "transform": {"reads": ["assistant"], "writes": ["routing"]},
}
NATIVE = {
    "schema": "unit/v1",
    "id": "acme/inside",
    "version": "0.1.0",
    "kind": "native",
    "runtime": {"artifact": "unit.native.json", "deadline": "5s"},
    "native": {"module": "unit"},
    "action": [{"name": "redact"}],
}
FILES = {
    "redact.wasm": b"\0asm",
    "schemas/parameters.json": b'{"type": "object", "properties": {"mask": {"type": "string"}}, "required": ["key"]}',
    "schemas/in.json": b'{"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": false}',
    "schemas/out.json": b'{"type": "object"}',
}


def toml(document) -> bytes:
    return tomlkit.dumps(document).encode()


def faults_of(document) -> list[tuple[str, str]]:
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(toml(document) if isinstance(document, dict) else document)
    return [(fault["path"], fault["message"]) for fault in caught.value.details["faults"]]


def paths_of(document) -> list[str]:
    return [path for path, _ in faults_of(document)]


def changed(document, **changes):
    return copy.deepcopy(document) | changes


# ---- what a right manifest says ----


def test_a_whole_manifest_is_read_as_written():
    manifest = m.parse(toml(TOOL))
    assert manifest == m.Manifest(
        id="acme/redact",
        version="1.2.0",
        kind="tool",
        title="Redact personal data",
        license="Apache-2.0",
        runtime=m.Runtime(artifact="redact.wasm", memory=64 << 20, deadline_ms=250, fuel=200_000_000, reuse="kept"),
        requires=m.Requires(
            remit=">=0.1,<0.2", world="0.1", units={"acme/base": "^1.0"}, conflicts=("acme/old-redact",)
        ),
        parameters=m.Parameters(schema="schemas/parameters.json", defaults={"mask": "█"}),
        actions=(
            m.ActionDecl(name="redact", input="schemas/in.json", output="schemas/out.json", idempotent=True),
            m.ActionDecl(name="count", title="Count only"),
        ),
        fills=(m.Fill(slot="guard", action="redact"),),
        on=(m.Subscription(topic="ticket.created", qos="background", attempts=5),),
        capabilities=(
            Capability(
                action="net:http",
                resource="https://dictionary.example.com",
                methods=("GET",),
                budget=Budget(window_ms=3_600_000, calls=1000, bytes=1 << 20),
                reason="fetch the list of names to mask",
                optional=True,
            ),
            Capability(action="events:emit", resource="text.redacted"),
            Capability(action="events:subscribe", resource="ticket.created", reason="reacts to it"),
        ),
        patches=(
            m.Patch(target="assistant", op="merge", value={"guards": {"redact": True}}),
            m.Patch(target="routing", op="json-patch", value=[{"op": "add", "path": "/a", "value": 1}]),
        ),
        tests=(
            m.Golden(action="redact", input={"text": "mail bob@example.com"}, expect={"text": "mail █"}),
        ),
        build=m.Build(tool="componentize-py", source="src"),
    )  # fmt: skip


def test_absent_tables_are_their_defaults():
    manifest = m.parse(toml(CONFIG))
    assert (manifest.runtime, manifest.transform, manifest.build) == (None, None, None)
    assert manifest.requires == m.Requires(remit="*", world="*")
    assert manifest.patches[0].op == "merge"


def test_limits_are_the_manifests_and_defaults_for_the_rest():
    assert m.limits_of(m.parse(toml(TOOL))) == Limits(memory=64 << 20, deadline_ms=250, fuel=200_000_000)
    sizes = {"stack": "1MiB", "input": "1KiB", "output": "2MiB", "state": "3MiB"}
    counts = {"host_calls": 7, "log_lines": 8, "effects": 9}
    larger = {name: int(size[0]) << (10 if "K" in size else 20) for name, size in sizes.items()} | counts
    assert m.limits_of(m.parse(toml(changed(TOOL, runtime={"artifact": "redact.wasm"} | sizes | counts)))) == Limits(
        **larger
    )
    assert m.limits_of(m.parse(toml(TRANSFORM))) == Limits()
    assert m.limits_of(m.parse(toml(CONFIG))) == Limits()


def test_interfaces_follow_from_kind_and_capabilities():
    pure = {"types", "log", "parameters"}
    tool = pure | {"state", "clock", "random"}
    assert m.interfaces_of(m.parse(toml(CONFIG))) == frozenset()
    assert m.interfaces_of(m.parse(toml(TRANSFORM))) == pure
    assert m.interfaces_of(m.parse(toml(changed(TOOL, capability=[])))) == tool
    for action, resource, interface in (
        ("events:emit", "text.redacted", {"events"}),
        ("events:subscribe", "text.redacted", set()),
        ("net:http", "https://a.example", {"http"}),
        ("fs:read", "/srv", {"files"}),
        ("fs:write", "/srv", {"files"}),
        ("secret:read", "token", {"secrets"}),
        ("action:call", "acme/base:go", {"actions"}),
    ):
        manifest = m.parse(toml(changed(TOOL, capability=[{"action": action, "resource": resource}])))
        assert m.interfaces_of(manifest) == tool | interface


# ---- faults ----


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


def test_an_unknown_capability_names_the_nearest():
    found = faults_of(changed(TOOL, capability=[{"action": "net:htp", "resource": "https://a.example"}]))
    assert found[0][0] == "capability[0].action"
    assert "did you mean 'net:http'?" in found[0][1]


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("net:http", ["https://api.example.com", "http://localhost:8080", "https://[::1]:1", "https://10.0.0.1"]),
        ("fs:read", ["/", "/srv/texts", "/srv/a b"]),
        ("events:emit", ["ticket.created", "ticket"]),
        ("events:subscribe", ["ticket.created", "unit.applied"]),
        ("action:call", ["acme/base:go", "acme/base"]),
        ("secret:read", ["api-token", "API_TOKEN.v2"]),
    ],
)
def test_a_well_formed_resource_is_accepted(action, resources):
    for resource in resources:
        m.parse(toml(changed(TOOL, capability=[{"action": action, "resource": resource}])))


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        (
            "net:http",
            ["example.com", "https://*.example.com", "https://a.example/path", "https://u@a.example", "ftp://a.example",
             "https://A.example", "https://a.example:99999", "https://[::zz]", "https://a..b", "https://127.1", "https://a.0x7f"],
        ),
        ("fs:read", ["srv", "./srv", "/srv/../etc", "/srv//a", "/srv/", "/srv/.", "/a\nb", "~/x"]),
        ("events:emit", ["Ticket", "ticket.*", "ticket..a", ".a", "a" * 201]),
        ("action:call", ["base", "acme/base:", "Acme/base:go", "acme/base:go@^1", "*"]),
        ("secret:read", ["../token", "a b", "x" * 129]),
    ],
)  # fmt: skip
def test_a_malformed_resource_is_refused(action, resources):
    for resource in resources:
        assert paths_of(changed(TOOL, capability=[{"action": action, "resource": resource}])) == [
            "capability[0].resource"
        ]


def test_budgets_of_host_time_and_fuel_are_read():
    asked = {"action": "action:call", "resource": "acme/other:run"}
    budget = {"window": "1h", "host_time": "1500ms", "fuel": 10_000}
    (capability, _hearing) = m.parse(toml(changed(TOOL, capability=[asked | {"budget": budget}]))).capabilities
    assert capability.budget == Budget(3_600_000, host_us=1_500_000, fuel=10_000)


@pytest.mark.parametrize(
    ("budget", "path"),
    [
        ({"window": "1h", "fuel": 10}, "capability[0].budget.fuel"),
        ({"window": "1h", "host_time": "367d"}, "capability[0].budget.host_time"),
        ({"window": "1h", "host_time": 5}, "capability[0].budget.host_time"),
        ({"window": "1h", "host_time": "-5s"}, "capability[0].budget.host_time"),
    ],
)
def test_a_budget_that_means_nothing_is_a_fault(budget, path):
    asked = {"action": "fs:read", "resource": "/srv", "budget": budget}
    assert paths_of(changed(TOOL, capability=[asked])) == [path]


def test_only_http_has_methods_and_a_budget_bounds_something():
    odd = {"action": "fs:read", "resource": "/srv", "methods": ["GET"], "budget": {"window": "1h"}}
    assert paths_of(changed(TOOL, capability=[odd])) == ["capability[0].budget", "capability[0].methods"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", "1KiB"), ("memory", "5GiB"), ("deadline", "11m"), ("deadline", "1d"), ("stack", "3MiB"),
        ("input", "100B"), ("output", "17MiB"), ("state", "5GiB"), ("host_calls", 0), ("log_lines", 100_001),
        ("effects", -1),
    ],
)  # fmt: skip
def test_limits_beyond_the_bounds_are_refused(key, value):
    assert paths_of(changed(TOOL, runtime=TOOL["runtime"] | {key: value})) == [f"runtime.{key}"]


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


# ---- no text gives anything but a manifest or its faults ----

junk = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
    | st.sampled_from(["redact", "net:http", "json-patch", "merge", "1MiB", "/a/0", "acme/redact", "^1", "lease.x"])
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["op", "path", "from", "value", "action", "resource", "name", "budget", "window", "units", "a"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@st.composite
def mangled(draw):
    document = copy.deepcopy(draw(st.sampled_from([TOOL, CONFIG, TRANSFORM])))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while True:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
                break
            place = inner
        place[key] = draw(junk)
    return document


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(mangled())
def test_a_mangled_manifest_is_read_or_gives_its_faults(document):
    try:
        text = toml(document)
    except (ValueError, TypeError, KeyError):  # tomlkit cannot write everything, e.g. lists of mixed tables
        return
    try:
        manifest = m.parse(text)
    except ManifestInvalid as error:
        found = error.details["faults"]
        json.dumps(found)
        ok = bool(found) and all(set(fault) == {"path", "message"} for fault in found)
    else:
        ok = all(isinstance(fault, Fault) for fault in m.check_files(manifest, FILES))
    assert ok


@given(st.binary(max_size=200) | st.text("[]{}=.\"'\n a1#", max_size=80).map(str.encode))
def test_any_bytes_are_a_manifest_or_its_faults(data):
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(data)
    assert caught.value.details["faults"]


def test_a_large_manifest_is_refused():
    with pytest.raises(ManifestInvalid, match="are allowed"):
        m.parse(b"#" * (257 << 10))


# ---- files ----


def check_files(document, files, **options):
    return m.check_files(m.parse(toml(document)), files, **options)


def test_files_that_fit_have_no_faults():
    assert check_files(TOOL, FILES) == []


def test_a_missing_file_is_a_fault_at_the_place_that_names_it():
    assert [fault.path for fault in check_files(TOOL, {})] == [
        "action[0].input", "action[0].output", "parameters.schema", "runtime.artifact",
    ]  # fmt: skip


def test_the_artifact_may_be_left_for_later():
    files = {name: data for name, data in FILES.items() if name != "redact.wasm"}
    assert check_files(TOOL, files, artifact=False) == []


@pytest.mark.parametrize(
    "data",
    [b"{", b"[" * 100_000, b'{"type": "objekt"}', b'"text"', b'{"$ref": "https://x"}', b"\xff", b" " * (257 << 10)],
)
def test_a_file_that_is_no_schema_is_a_fault(data):
    found = check_files(TOOL, FILES | {"schemas/out.json": data})
    assert [fault.path for fault in found] == ["action[0].output"]


def test_defaults_and_goldens_follow_their_schemas():
    files = FILES | {
        "schemas/parameters.json": b'{"properties": {"mask": {"type": "integer"}}}',
        "schemas/in.json": b'{"properties": {"txt": {}}, "additionalProperties": false}',
        "schemas/out.json": b'{"type": "string"}',
    }
    assert check_files(TOOL, files) == [
        Fault("parameters.defaults.mask", "must be an integer"),
        Fault("test[0].expect", "must be a string"),
        Fault("test[0].input.text", "unknown key (did you mean 'txt'?)"),
    ]


def write(folder, document, files):
    for name, data in (files | {"unit.toml": toml(document)}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_a_folder_is_checked_whole(tmp_path):
    write(tmp_path, TOOL, FILES)
    manifest, found = m.check(tmp_path)
    assert (manifest, found) == (m.parse(toml(TOOL)), [])
    (tmp_path / "redact.wasm").unlink()
    assert [fault.path for fault in m.check(tmp_path)[1]] == ["runtime.artifact"]
    assert m.check(tmp_path, artifact=False)[1] == []


def test_a_folder_without_a_manifest_or_with_a_wrong_one_has_faults(tmp_path):
    assert m.check(tmp_path) == (None, [Fault("", "the folder has no unit.toml")])
    (tmp_path / "unit.toml").write_bytes(toml(changed(TOOL, version="1")))
    manifest, found = m.check(tmp_path)
    assert manifest is None
    assert [fault.path for fault in found] == ["version"]


def test_a_schema_that_leads_out_of_the_folder_is_one_fault(tmp_path):
    (tmp_path / "secret.json").write_bytes(b"{}")
    unit = tmp_path / "unit"
    unit.mkdir()
    write(unit, TOOL, FILES)
    (unit / "schemas" / "in.json").unlink()
    (unit / "schemas" / "in.json").symlink_to("../../secret.json")
    assert m.check(unit)[1] == [Fault("action[0].input", "'schemas/in.json' leads out of the folder")]


def test_every_fault_survives_the_socket():
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(b"x = 1")
    assert json.loads(json.dumps(caught.value.as_dict()))["code"] == "RM-2001"


@pytest.mark.parametrize(("declared", "heard"), [
    ([], ["a.b", "a.c"]), (["a"], ["a"]), (["a.b"], ["a.b", "a.c"]), (["a.b.d", "ab"], ["a.b.d", "ab", "a.b", "a.c"]),
])  # fmt: skip
def test_a_reaction_asks_to_hear_its_topic_unless_that_is_declared(declared, heard):
    asked = [{"action": "events:subscribe", "resource": one} for one in declared]
    document = changed(TOOL, capability=asked, on=[{"topic": "a.b"}, {"topic": "a.c", "qos": "realtime"}])
    assert [one.resource for one in m.parse(toml(document)).capabilities] == heard
