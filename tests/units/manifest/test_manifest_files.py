"""A manifest and the files that it names fit together."""

from __future__ import annotations

import pytest

from remit.schemas import Fault
from remit.units import manifest as m
from tests.units.manifests import FILES, TOOL, changed, toml


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
