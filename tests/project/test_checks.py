"""The project's own checks find planted faults, and find nothing where there is none."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

CODES = {"RM-1101", "RM-2005"}
FORMATS = {"UNIT": "unit/v1", "JOURNAL": "1"}
TABLE = "| name | version |\n| --- | --- |\n| `UNIT` | `unit/v1` |\n| `JOURNAL` | `1` |\n"


# ---- sizes ----


def package(root, **modules):
    for name, lines in modules.items():
        path = root / "remit" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text("x = 1\n" * lines)
    return root


def test_sizes_within_the_bounds_are_no_fault(tool, tmp_path):
    assert tool("check_sizes").faults(package(tmp_path, kernel__a=400, kernel__b=400, host__c=400)) == []


def test_a_module_that_is_too_long_is_named(tool, tmp_path):
    (fault,) = tool("check_sizes").faults(package(tmp_path, host__big=401))
    assert fault.startswith("remit/host/big.py: 401 lines")


def test_a_kernel_that_is_too_large_is_noticed_whatever_its_modules(tool, tmp_path):
    modules = {f"kernel__m{number}": 400 for number in range(5)}
    assert tool("check_sizes").faults(package(tmp_path, **modules)) == []
    (fault,) = tool("check_sizes").faults(package(tmp_path, **modules, kernel__deep__more=1))
    assert fault.startswith("remit/kernel: 2001 lines")


# ---- docs ----


@pytest.fixture
def project(root, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "formats.md").write_text(TABLE)
    for name in ("pyproject.toml", "Makefile"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def test_docs_that_say_what_is_so_are_no_fault(tool, project):
    (project / "README.md").write_text(
        "Needs Python ≥ 3.11. `pip install 'remit[author]'`, then `make demo`; people make errors like RM-1101.\n"
    )
    assert tool("check_docs").faults(project, CODES, FORMATS) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("see RM-9876", "README.md: there is no error code RM-9876"),
        ("`pip install 'remit[turbo]'`", "README.md: there is no extra 'turbo' to install"),
        ("`pip install remit==9.0`", "README.md: installs remit ==9.0, this is 0.1.0"),
        ("Python >= 3.9", "README.md: asks for Python 3.9, pyproject.toml for 3.11"),
        ("run `make coffee`", "README.md: there is no 'make coffee'"),
    ],
)
def test_docs_that_say_what_is_not_so_are_named(tool, project, text, fault):
    (project / "README.md").write_text(text)
    assert tool("check_docs").faults(project, CODES, FORMATS) == [fault]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("`unit/v1`", "`unit/v2`", "docs/formats.md: UNIT is unit/v1, not unit/v2"),
        ("| `UNIT` | `unit/v1` |\n", "", "docs/formats.md: UNIT is not in the table"),
        ("`UNIT`", "`OTHER`", "docs/formats.md: there is no format OTHER"),
    ],
)
def test_a_table_of_formats_that_is_wrong_is_named(tool, project, old, new, fault):
    (project / "docs" / "formats.md").write_text(TABLE.replace(old, new))
    assert fault in tool("check_docs").faults(project, CODES, FORMATS)


def test_a_missing_table_of_formats_is_a_fault(tool, project):
    (project / "docs" / "formats.md").unlink()
    (fault,) = tool("check_docs").faults(project, CODES, FORMATS)
    assert fault.startswith("docs/formats.md is missing")


# ---- what is tracked ----


@pytest.mark.parametrize(
    "path",
    [
        "units/redact/redact.wasm",
        "remit/__pycache__/x.cpython-311.pyc",
        "dist/remit.whl",
        ".venv/bin/python",
        "home/.remit/journal.db",
        ".coverage.1",
        "units/redact/.cache/redact.wasm.json",
    ],
)
def test_generated_files_are_recognised(tool, path):
    assert tool("check_tracked").generated([path, "remit/units/toolchains/build.py", "docs/formats.md"]) == [path]


def test_binary_files_are_recognised(tool, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"ab\0c")
    (tmp_path / "b.txt").write_text("text")
    assert tool("check_tracked").binary(tmp_path, ["a.bin", "b.txt", "gone"]) == ["a.bin"]


# ---- the audit ----


def answer(*packages):
    return json.dumps({"dependencies": packages})


CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found"}


def test_a_clean_audit_is_one_that_answered_about_everything(tool):
    assert tool("audit").verdict(answer(CLEAN)) == ([], "")


def test_known_vulnerabilities_are_named_with_their_fix(tool):
    assert tool("audit").verdict(answer(CLEAN, BAD)) == (["b 2: PYSEC-1, fixed in 3"], "")


@pytest.mark.parametrize("said", ["", "Traceback", "{}", "[]", answer(), answer(SKIPPED), answer(CLEAN, SKIPPED)])
def test_an_audit_that_was_not_answered_never_passes(tool, said):
    assert tool("audit").verdict(said)[1]


@given(st.text(max_size=40))
def test_no_garbage_passes_for_an_audit(tool, said):
    assert tool("audit").verdict(said)[1]
