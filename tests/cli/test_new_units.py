"""A new unit passes its own tests at once, and its tests fail when the unit is wrong."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def made(remit, tmp_path):
    """Makes a unit and gives its folder."""

    def make(*words):
        return tmp_path / json.loads(remit("unit", "new", *words, "--dir", tmp_path, "--json").stdout)["folder"]

    return make


@pytest.mark.parametrize(
    "words",
    [
        ("acme/fresh", "--lang", "wat"),
        ("acme/fresh", "--lang", "c"),
        ("acme/fresh", "--kind", "config"),
        pytest.param(("acme/fresh", "--lang", "ts"), marks=pytest.mark.slow),
        pytest.param(("acme/fresh", "--lang", "python"), marks=pytest.mark.slow),
        pytest.param(("acme/fresh", "--lang", "python", "--kind", "transform"), marks=pytest.mark.slow),
    ],
)
def test_a_new_unit_is_in_order_and_passes_its_own_tests(remit, made, program, words):
    if "ts" in words:
        program("npm")
    folder = made(*words)
    assert json.loads(remit("unit", "check", folder, "--json").stdout)["ok"]
    if "config" not in words:
        built = json.loads(remit("unit", "build", folder, "--json").stdout)
        assert built["bytes"] == (folder / "fresh.wasm").stat().st_size
        assert built["digest"].startswith("sha256:")
    tried = json.loads(remit("unit", "test", folder, "--json").stdout)
    assert tried["passed"], tried
    assert tried["pytest"] == (0 if "python" in words else None)
    assert tried["node"] == (0 if "ts" in words else None)


def test_a_test_of_the_manifest_that_fails_shows_what_differs(remit, made):
    folder = made("acme/fresh", "--lang", "wat")
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('expect = { text = "hello" }', "expect = { text = 7 }"))
    result = remit("unit", "test", folder, code=1)
    assert 'expected {"text": 7}' in result.stdout
    assert 'got      {"text": "hello"}' in result.stdout
    assert result.stdout.rstrip().endswith("failed")


@pytest.mark.parametrize(
    ("source", "passed"),
    [
        ("def test_it():\n    assert True\n", True),
        ("def test_it():\n    assert False\n", False),
        ("import sys; sys.exit(0)\n", False),
    ],
)
def test_the_authors_pytest_counts(remit, made, source, passed):
    folder = made("acme/fresh", "--lang", "wat")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(source)
    tried = json.loads(remit("unit", "test", folder, "--json", code=None).stdout)
    assert tried["passed"] is passed, tried["output"]


@pytest.mark.parametrize("unit", ["acme", "Acme/x", "acme/", "/x", "acme/x/y", "acme/../x", "acme/" + "x" * 61])
def test_what_is_no_unit_id_is_refused_and_nothing_is_made(remit, tmp_path, unit):
    assert remit("unit", "new", unit, "--dir", tmp_path, code=64).stderr.startswith("error[RM-1000]")
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_a_language_has_no_template_for_says_which_have_one(remit, tmp_path):
    said = remit("unit", "new", "acme/x", "--lang", "wat", "--kind", "transform", "--dir", tmp_path, code=64).stderr
    assert "python (tool/transform)" in said


def test_a_failed_unit_test_of_a_broken_manifest_names_the_fault(remit, made):
    folder = made("acme/fresh", "--lang", "wat")
    (folder / "unit.toml").write_text("schema = 1")
    assert "RM-2" in remit("unit", "test", folder, code=1).stderr
