"""A component that knows nothing of Remit, from its file to a call and back."""

from __future__ import annotations

import json

import pytest

from remit.errors import InputInvalid, UnitFailed
from remit.host import Kernel, build_unit, check_unit
from tests.cli.conftest import ROOT, make_tool


@pytest.fixture
def calc(tmp_path):
    """A folder with nothing but a component."""
    folder = tmp_path / "calc"
    folder.mkdir()
    built = build_unit(ROOT / "units" / "wat" / "calc")
    (folder / "calc.wasm").write_bytes(built.read_bytes())
    return folder


@pytest.fixture
def manifest(calc, remit):
    (calc / "unit.toml").write_text(remit("unit", "inspect", calc / "calc.wasm", "--manifest").stdout)
    return calc


@pytest.mark.usefixtures("home")
def test_a_component_is_inspected_installed_planned_applied_called_and_reverted(manifest, remit):
    assert check_unit(manifest)[1] == []
    remit("unit", "install", manifest, "--allow-unsigned")
    plan = remit("unit", "plan", "local/calc", code=2).stdout
    assert "local/calc" in plan
    remit("unit", "apply", "local/calc", "--yes")
    assert json.loads(remit("call", "local/calc:add", '{"a": 19, "b": 23}', "--json").stdout)["output"] == 42
    scaled = remit("call", "local/calc:scale", '{"point": {"x": 1.5, "y": 1}}', "--json").stdout
    assert json.loads(scaled)["output"] == {"x": 3.0, "y": 2.0}
    remit("unit", "revert")
    assert "RM-7001" in remit("call", "local/calc:add", '{"a": 1, "b": 2}', code=1).stderr


def test_inputs_are_refused_by_their_types_and_failures_are_values(manifest, remit, home):
    remit("unit", "install", manifest, "--allow-unsigned")
    remit("unit", "apply", "local/calc", "--yes")
    assert "RM-7002" in remit("call", "local/calc:add", '{"a": 1, "b": 2147483648}', code=1).stderr
    assert 'failed: "zero"' in remit("call", "local/calc:divide", '{"a": 1, "b": 0}', code=1).stderr
    with Kernel.open(home) as kernel:
        with pytest.raises(InputInvalid) as refused:
            kernel.call("local/calc:add", {"a": 1, "b": 2147483648})
        assert [fault["path"] for fault in refused.value.details["faults"]] == ["b"]
        with pytest.raises(UnitFailed) as failed:
            kernel.call("local/calc:divide", {"a": 1, "b": 0})
        assert failed.value.details["error"] == "zero"
    listed = json.loads(remit("list", "local/calc:divide", "--json").stdout)
    assert json.dumps(listed).count('"minimum": -2147483648') == 3


def test_a_call_is_taken_down_and_runs_in_a_worker(manifest, remit, home):
    (home / "policy" / "workers.cedar").write_text(
        '@id("workers.all") forbid (principal is Remit::Unit, action == Remit::Action::"unit:inline", resource);\n'
    )
    remit("unit", "install", manifest, "--allow-unsigned")
    remit("unit", "apply", "local/calc", "--yes")
    said = json.loads(remit("call", "local/calc:add", '{"a": 2, "b": 3}', "--record", "full", "--json").stdout)
    assert said["output"] == 5


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("export", "said"), [
    ("local:calc/api@1.0.0#none", "local:calc/api@1.0.0#add"), ("local:other/api#add", "its functions"),
])  # fmt: skip
def test_an_export_that_is_not_there_is_refused_at_install(manifest, remit, export, said):
    text = (manifest / "unit.toml").read_text().replace("local:calc/api@1.0.0#add", export)
    (manifest / "unit.toml").write_text(text)
    refused = remit("unit", "install", manifest, "--allow-unsigned", code=1).stderr
    assert "RM-5003" in refused
    assert said in refused


@pytest.mark.usefixtures("home")
def test_a_test_that_the_types_refuse_is_refused_at_install(manifest, remit):
    with (manifest / "unit.toml").open("a") as file:
        file.write('\n[[test]]\naction = "add"\ninput = { a = "one", b = 2 }\nexpect = 3\n')
    refused = remit("unit", "install", manifest, "--allow-unsigned", code=1).stderr
    assert "test[0].input" in refused


def test_the_units_own_tests_run(tmp_path, remit):
    folder = make_tool(tmp_path, "sums", like="calc")
    assert "3" in remit("unit", "test", folder).stdout


def test_a_draft_says_what_it_cannot_know(units, remit, tmp_path):
    text = remit("unit", "inspect", units / "sneaky" / "sneaky.wasm", "--manifest").stdout
    assert 'id = "local/sneaky"' in text
    assert '# action = "net:http"' in text
    assert 'name = "run"' in text
    broken = tmp_path / "no.wasm"
    broken.write_bytes(b"\0asm\x0d\0\x01\0")
    assert "RM-5001" in remit("unit", "inspect", broken, "--manifest", code=1).stderr
