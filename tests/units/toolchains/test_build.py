"""Making artifacts: narrowed worlds, explained failures, nothing half-written, and no work done twice."""

from __future__ import annotations

import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import BuildFailed, RemitError
from remit.kernel.model import Capability
from remit.units.manifest import ActionDecl, Build, Manifest, Runtime, Subscription, interfaces_of
from remit.units.toolchains.artifact import Stamp, inside, write_atomically
from remit.units.toolchains.build import build, missing_tools
from remit.units.toolchains.componentize import compile_python
from remit.units.toolchains.world import exports_of, narrowed

UNITS = Path(__file__).parents[3] / "units"
CAPABILITIES = ("events:emit", "net:http", "fs:read", "fs:write", "secret:read", "action:call", "events:subscribe")
GUEST = """
from wit_world import exports


class Provider(exports.Provider):
    def call(self, action, input):
        return input
"""


def manifest(tool="wat", source="unit.wat", **changes):
    fields = {
        "id": "acme/thing",
        "version": "1.0.0",
        "kind": "tool",
        "runtime": Runtime(artifact="thing.wasm"),
        "actions": (ActionDecl(name="go"),),
        "build": Build(tool=tool, source=source),
    }
    return Manifest(**(fields | changes))


@pytest.fixture
def echo(tmp_path):
    shutil.copy(UNITS / "wat" / "echo" / "echo.wat", tmp_path / "unit.wat")
    return tmp_path


@pytest.fixture
def guest(tmp_path):
    def write(text, name="unit.py"):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src" / name).write_text(text, "utf-8")
        return tmp_path

    return write


def python(**changes):
    return manifest("componentize-py", "src/unit.py", **changes)


# ---- the world ----


@given(st.lists(st.sampled_from(CAPABILITIES), unique=True))
def test_the_world_imports_what_the_manifest_entitles_to_and_no_more(actions):
    declared = manifest(capabilities=tuple(Capability(action=action, resource="x") for action in actions))
    world = narrowed(declared).rpartition("world narrowed")[2]
    assert {line.split()[1] for line in world.splitlines() if "import " in line} == {
        f"{name};" for name in interfaces_of(declared) - {"types"}
    }


@pytest.mark.parametrize(
    ("changes", "exports"),
    [
        ({}, ("provider",)),
        ({"actions": (), "on": (Subscription(topic="a.b"),)}, ("handler",)),
        ({"on": (Subscription(topic="a.b"),)}, ("handler", "provider")),
        ({"kind": "transform", "actions": ()}, ("transformer",)),
    ],
)
def test_the_world_exports_what_the_manifest_promises(changes, exports):
    assert exports_of(manifest(**changes)) == exports


def test_there_is_one_world_in_the_narrowed_package():
    assert [line for line in narrowed(manifest()).splitlines() if line.startswith("world ")] == ["world narrowed {"]


# ---- component text ----


def test_component_text_becomes_a_component(echo):
    artifact = build(echo, manifest())
    assert artifact == echo / "thing.wasm"
    assert artifact.read_bytes()[:8] == b"\0asm\x0d\0\x01\0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(component\n  (bogus))", "unit.wat:2:4"),
        ("(component", "unit.wat:1:"),
        ("", "unit.wat:1:1"),
        ("(module)", "core module"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
    ],
)
def test_broken_component_text_is_explained_with_its_place(tmp_path, text, said):
    (tmp_path / "unit.wat").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BuildFailed, match=said):
        build(tmp_path, manifest())
    assert not (tmp_path / "thing.wasm").exists()


@given(st.binary(max_size=200))
def test_any_bytes_as_source_end_in_a_component_or_an_explanation(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / "unit.wat").write_bytes(data)
    with suppress(BuildFailed):  # anything else, a crash of the assembler too, fails the test
        build(folder, manifest())
    assert (folder / "thing.wasm").exists() <= data.lstrip().startswith((b"(", b";"))


# ---- doing nothing twice ----


def stages(folder, declared):
    heard = []
    build(folder, declared, lambda stage, share: heard.append((stage, share)))
    return heard


def test_a_second_build_does_nothing(echo):
    build(echo, manifest())
    before = (echo / "thing.wasm").stat().st_ino
    assert stages(echo, manifest()) == [("acme/thing is built", 1.0)]
    assert (echo / "thing.wasm").stat().st_ino == before


@pytest.mark.parametrize("change", ["source", "artifact", "no artifact", "world", "stamp"])
def test_whatever_changes_is_built_again(echo, change):
    artifact = build(echo, manifest())
    good = artifact.read_bytes()
    declared = manifest()
    match change:
        case "source":
            (echo / "unit.wat").write_text((echo / "unit.wat").read_text() + ";; more\n")
        case "artifact":
            artifact.write_bytes(good[:-1])
        case "no artifact":
            artifact.unlink()
        case "world":
            declared = manifest(capabilities=(Capability(action="net:http", resource="https://a.example"),))
        case "stamp":
            (echo / ".cache" / "thing.wasm.json").write_text("{")
    assert stages(echo, declared)[0] == ("building acme/thing", 0.0)
    assert artifact.read_bytes() == good


@given(
    st.dictionaries(st.from_regex(r"\A[a-z]{1,4}(/[a-z]{1,4})?\.py\Z"), st.binary(max_size=20), max_size=4), st.data()
)
def test_the_stamp_follows_every_file_of_the_source(tmp_path_factory, files, data):
    def stamped(contents):
        tree = tmp_path_factory.mktemp("tree")
        for name, content in contents.items():
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).write_bytes(content)
        # the folder's own name is part of what a file is called in it
        fixed = tree.rename(tree.parent / "src") if not (tree.parent / "src").exists() else tree
        inputs = Stamp.of(fixed / "x.wasm", fixed, ("tool 1",)).inputs
        shutil.rmtree(fixed)
        return inputs

    changed = dict(files)
    name = data.draw(st.sampled_from([*files, "new.py"]))
    changed[name] = changed.get(name, b"") + b"!"
    assert stamped(files) == stamped(dict(files))
    assert stamped(files) != stamped(changed)


# ---- Python ----


@pytest.mark.slow
def test_python_becomes_a_component_and_progress_is_told(guest):
    folder = guest(GUEST)
    heard = stages(folder, python())
    assert (folder / "thing.wasm").read_bytes()[:8] == b"\0asm\x0d\0\x01\0"
    assert heard[0] == ("building acme/thing", 0.0)
    assert heard[-1] == ("building acme/thing", 1.0)
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    assert stages(folder, python()) == [("acme/thing is built", 1.0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("def broken(:\n    pass\n", r"src/unit.py:1: SyntaxError", "correct the source"),
        ("import json\nimport nothere\n", r"src/unit.py:2: ModuleNotFoundError", "beside the source"),
        ("import msgspec\n", r"src/unit.py:1: ModuleNotFoundError", "beside the source"),
        ("from wit_world.imports import http\n", r"src/unit.py:1: ImportError", "net:http"),
        ("x = 1\n", r"no attribute 'Provider'", "class Provider"),
    ],
)
def test_what_the_toolchain_refuses_is_told_with_the_authors_line(guest, text, said, remedy):
    with pytest.raises(BuildFailed, match=said) as caught:
        build(guest(text), python())
    assert remedy in caught.value.remedy


def test_a_wrong_signature_is_refused_before_the_toolchain_runs(guest):
    folder = guest(GUEST.replace("action, input", "action"))
    with pytest.raises(BuildFailed, match=r"src/unit.py:6: Provider.call does not take 'action' and 'input'"):
        build(folder, python())


@pytest.mark.slow
def test_a_source_that_never_ends_is_stopped(guest, monkeypatch):
    monkeypatch.setattr("remit.units.toolchains.running._TIMEOUT_S", 6.0)
    with pytest.raises(BuildFailed, match="did not end within 6 s"):
        build(guest("while True:\n    pass\n"), python())


@pytest.mark.parametrize("name", ["narrowed.py", "wit_world.py", "not-a-name.py", "unit.txt"])
def test_a_module_that_cannot_be_a_guest_is_refused(guest, name):
    folder = guest(GUEST, name)
    declared = manifest("componentize-py", f"src/{name}")
    with pytest.raises(BuildFailed, match="cannot be a guest's module"):
        compile_python(folder / "src" / name, declared, lambda _stage, _share: None)


# ---- files ----


def test_a_unit_without_a_build_section_is_told_what_to_add(tmp_path):
    with pytest.raises(BuildFailed, match="no \\[build\\] section"):
        build(tmp_path, manifest(build=None))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(BuildFailed, match=r"there is no unit\.wat"):
        build(tmp_path, manifest())


def test_an_artifact_or_source_outside_the_unit_is_refused(echo, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (echo / "away").symlink_to(outside)
    with pytest.raises(BuildFailed, match="not inside"):
        build(echo, manifest(runtime=Runtime(artifact="away/thing.wasm")))
    with pytest.raises(BuildFailed, match="not inside"):
        inside(echo, "../unit.wat")
    assert list(outside.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "thing.wasm"
    target.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RemitError) as caught:
        write_atomically(target, b"new")
    assert caught.value.code == "RM-1107"
    assert [path.name for path in tmp_path.iterdir()] == ["thing.wasm"]
    assert target.read_bytes() == b"old"


def test_a_source_tree_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("remit.units.toolchains.artifact.MAX_FILES", 3)
    for number in range(5):
        (tmp_path / f"m{number}.py").write_text("")
    with pytest.raises(BuildFailed, match="more than 3 files"):
        Stamp.of(tmp_path / "x.wasm", tmp_path, ())


def test_a_stamp_is_plain_json_beside_the_artifact(echo):
    build(echo, manifest())
    assert sorted(msgspec.json.decode((echo / ".cache" / "thing.wasm.json").read_bytes())) == ["artifact", "inputs"]


@pytest.mark.parametrize(("found", "fits"), [("0.25.1", True), ("0.25.9", True), ("0.24.0", False), ("1.0", False)])
def test_the_doctor_hears_of_a_compiler_of_a_version_that_is_not_known_to_work(monkeypatch, found, fits):
    versions = {"componentize-py": found}
    monkeypatch.setattr("remit.units.toolchains.build.version", lambda name: versions.get(name) or version(name))
    said = [line for line in missing_tools() if line.startswith("componentize-py ")]
    assert bool(said) is not fits
    assert fits or "remit[author]" in said[0]


@pytest.mark.parametrize(
    ("answer", "problem"), [("v20.1.0", ""), ("v18.19.0", "Node.js is v18.19.0"), ("", "Node.js is")]
)
def test_the_doctor_hears_of_a_node_that_is_too_old(monkeypatch, tmp_path, answer, problem):
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = [line for line in missing_tools() if line.startswith("componentize-qjs ")]
    assert problem in " ".join(said)
    assert bool(said) is bool(problem)
