"""A new unit passes its own tests at once, and its tests fail when the unit is wrong."""

from __future__ import annotations

import json
import signal
from pathlib import Path

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
        ("acme/fresh", "--lang", "python", "--kind", "native"),
        pytest.param(("acme/fresh", "--lang", "ts", "--kind", "transform"), marks=pytest.mark.slow),
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
        assert built["bytes"] == Path(built["artifact"]).stat().st_size
        assert (built["code"] > 0) == ("native" not in words)
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
    assert "python (tool/transform/native)" in said


def test_a_failed_unit_test_of_a_broken_manifest_names_the_fault(remit, made):
    folder = made("acme/fresh", "--lang", "wat")
    (folder / "unit.toml").write_text("schema = 1")
    assert "RM-2" in remit("unit", "test", folder, code=1).stderr


def test_a_bench_says_what_a_call_costs(remit, made):
    folder = made("acme/fresh", "--lang", "wat")
    measured = json.loads(remit("unit", "bench", folder, "--seconds", "0.05", "--json").stdout)
    assert (measured["action"], measured["memory"]) == ("acme/fresh:echo", 1 << 16)
    assert "a second" in remit("unit", "bench", folder, "echo", "1", "--seconds", "0.05").stdout


def test_dev_swaps_a_change_in_and_tells_of_calls_until_it_is_interrupted(made, processes):
    folder = made("acme/fresh", "--lang", "wat")
    author = processes.start("unit", "dev", folder, "--json", PYTHONUNBUFFERED="1")
    lines = (json.loads(line) for line in author.stdout)
    home = next(lines)
    assert home["made"]
    assert next(lines)["generation"] == 1
    assert processes.run("call", "acme/fresh:echo", "[1]", "--home", home["home"])[0] == 0
    assert next(lines)["record"]["event"]["type"] == "action.completed"
    with (folder / "fresh.wat").open("a") as source:
        source.write("(")
    assert next(lines)["error"]["code"] == "RM-2005"
    author.send_signal(signal.SIGINT)
    assert author.wait(30) == 130
    assert not Path(home["home"]).exists()


def test_check_fix_puts_slips_right_and_leaves_the_rest(remit, made):
    folder = made("acme/fresh", "--lang", "wat")
    manifest = folder / "unit.toml"
    good = manifest.read_text()
    manifest.write_text(good.replace("[runtime]", "[runtme]"))
    remit("unit", "check", folder, code=1)
    assert "fixed runtme: runtme → runtime" in remit("unit", "check", folder, "--fix").stdout
    assert manifest.read_text() == good
    assert json.loads(remit("unit", "check", folder, "--fix", "--json").stdout)["fixed"] == []
    manifest.write_text(good.replace('memory   = "8MiB"', 'memory   = "lots"') + "\nnonsense = 1\n")
    wrong = manifest.read_text()
    assert "nonsense" in remit("unit", "check", folder, "--fix", code=1).stdout
    assert manifest.read_text() == wrong


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x = ["])
def test_check_fix_of_what_is_no_manifest_says_so(remit, tmp_path, content):
    if content is not None:
        (tmp_path / "unit.toml").write_bytes(content)
    assert "unit.toml" in remit("unit", "check", tmp_path, "--fix", code=1).output
