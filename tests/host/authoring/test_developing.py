"""The author's loop: what is swapped in, what stays when a change is wrong, and what is told meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.errors import ConsentNeeded, SandboxError, UsageError
from remit.host import Kernel, Swap, Told, develop, init, measure_unit, workshop

C_UNIT = """
#include "remit.h"
remit_answer remit_call(remit_text action, remit_text input) {
    remit_log(REMIT_INFO, REMIT_TEXT("looked at it"));
    return remit_ok(input);
}
"""
MANIFEST = """
schema = "unit/v1"
id = "acme/work"
version = "1.0.0"
kind = "tool"
[runtime]
artifact = "work.wasm"
memory = "4MiB"
[build]
tool = "zig-cc"
source = "src/unit.c"
[[action]]
name = "go"
[[test]]
action = "go"
input = 1
expect = 1
"""


@pytest.fixture
def kernel(tmp_path):
    init(tmp_path / "home")
    with Kernel.open(tmp_path / "home", serve=False) as kernel:
        yield kernel


@pytest.fixture
def folder(tmp_path):
    """A unit in C that logs."""
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    (root / "src" / "unit.c").write_text(C_UNIT)
    (root / "unit.toml").write_text(MANIFEST)
    return root


def test_a_change_is_swapped_in_and_a_wrong_one_leaves_the_version_before(kernel, folder):
    turns = develop(folder, kernel, consent=False)
    first = next(turns)
    assert isinstance(first, Swap)
    assert (first.unit, first.generation, first.error) == ("acme/work", 1, None)
    source = folder / "src" / "unit.c"

    source.write_text(C_UNIT.replace("remit_ok(input)", "nothing"))
    broken = next(turns)
    assert (broken.generation, broken.digest, broken.error["code"]) == (1, "", "RM-2005")
    assert "src/unit.c:5" in broken.error["message"]
    assert kernel.call("acme/work:go", 7) == 7

    source.write_text(C_UNIT.replace("remit_ok(input)", 'remit_ok(REMIT_TEXT("1"))'))
    second = next(_swaps(turns))
    assert (second.generation, second.error) == (2, None)
    assert kernel.call("acme/work:go", 7) == 1


def test_a_unit_that_fails_its_own_tests_is_not_swapped_in(kernel, folder):
    turns = develop(folder, kernel, consent=False)
    next(turns)
    (folder / "unit.toml").write_text(MANIFEST.replace("expect = 1", "expect = 2"))
    refused = next(turns)
    assert (refused.generation, refused.error["code"]) == (1, "RM-6003")
    assert "its own" in refused.error["message"]


def test_what_widens_waits_for_consent(kernel, folder):
    turns = develop(folder, kernel, consent=False)
    next(turns)
    wider = '[[capability]]\naction = "net:http"\nresource = "https://a.example"\n'
    (folder / "unit.toml").write_text(MANIFEST + wider)
    refused = next(turns)
    assert (refused.generation, refused.error["code"]) == (1, ConsentNeeded.code)
    assert kernel.leases() == []
    assert next(develop(folder, kernel, consent=True)).error is None
    assert [lease.resource for lease in kernel.leases()] == ["https://a.example"]


def test_calls_and_their_log_lines_are_told(kernel, folder):
    turns = develop(folder, kernel, consent=False)
    next(turns)
    kernel.call("acme/work:go", 5)
    kernel.emit("somebody.elses", {"unit": "acme/other"})
    heard = next(turns)
    assert isinstance(heard, Told)
    assert heard.record["event"]["type"] == "action.completed"
    assert [(line.level, line.message) for line in heard.log] == [("info", "looked at it")]
    (folder / "src" / "unit.c").write_text(C_UNIT + "\n// again\n")
    assert isinstance(next(turns), Swap)  # the other's event was not ours to hear


def test_a_component_that_another_tool_makes_is_itself_what_changes(kernel, unit, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(unit("echo"), folder)
    manifest = folder / "unit.toml"
    text = manifest.read_text()
    manifest.write_text(text[: text.index("[build]")] + text[text.index("[requires]") :])
    turns = develop(folder, kernel, consent=False)
    assert next(turns).error is None
    (folder / "echo.wasm").write_bytes(b"\0asm")
    assert next(turns).error["code"].startswith("RM-")


def test_a_folder_without_a_manifest_is_told_and_waited_for(kernel, tmp_path, folder):
    empty = tmp_path / "empty"
    empty.mkdir()
    turns = develop(empty, kernel, consent=False)
    assert "unit.toml" in next(turns).error["message"]
    shutil.copytree(folder, empty, dirs_exist_ok=True)
    assert next(turns).error is None


def test_a_workshop_is_the_home_that_stands_or_one_that_goes(tmp_path):
    with workshop(tmp_path / "none") as (home, made):
        root = home.home().root
        assert made
    assert not Path(root).exists()
    init(tmp_path / "home")
    with workshop(tmp_path / "home") as (home, made):
        assert (home.home().root, made) == (str(tmp_path / "home"), False)


# ---- what a call costs ----


def test_the_memory_of_a_unit_is_the_least_with_which_its_call_succeeds(folder):
    measured = measure_unit(folder, seconds=0.05)
    assert measured.action == "acme/work:go"
    assert measured.calls > 0
    assert measured.p50_us <= measured.p99_us
    init(folder / ".home")
    with Kernel.open(folder / ".home", serve=False) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
        assert kernel.rehearse(measured.action, "1", memory=measured.memory).text == "1"
        with pytest.raises(SandboxError):
            kernel.rehearse(measured.action, "1", memory=measured.memory - (1 << 16))


def test_fuel_is_the_same_whenever_it_is_measured_and_more_for_more_work(folder):
    counting = "volatile char last = 0;\n    for (size_t i = 0; i < input.size; i++) last = input.at[i];\n    return"
    (folder / "src" / "unit.c").write_text(C_UNIT.replace("return", counting))
    few, again, many = (measure_unit(folder, value=value, seconds=0.05).fuel for value in ("x", "x", "x" * 1000))
    assert few == again
    assert few is not None
    assert many is not None
    assert many > few


@pytest.mark.parametrize(("action", "value", "said"), [("nothing", 1, "no action"), ("go", None, "with what")])
def test_what_cannot_be_measured_says_why(folder, action, value, said):
    (folder / "unit.toml").write_text(MANIFEST.partition("[[test]]")[0])
    with pytest.raises(UsageError, match=said):
        measure_unit(folder, action, value)


def _swaps(turns):
    return (turn for turn in turns if isinstance(turn, Swap))
