"""What a component may import and export, and what is refused at sight."""

from __future__ import annotations

import re
from importlib.resources import files
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from remit.errors import ArtifactInvalid, ExportMissing, ImportRefused
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox import CompileBounds, ComponentRunner
from remit.sandbox.interfaces import all_interfaces
from remit.sandbox.wit.contract import CLOSED_WASI, EXPORTS, IMPORTS, is_closed_wasi, short_name

ECHO = "(call $ok (local.get $p) (local.get $n))"
PARAMETERS = '(export "get" (func (result string)))'


def importing(name: str, text: str = "") -> bytes:
    return bytes(wat2wasm(f'(component (import "{name}" (instance {text})))'))


def test_imports_and_exports_are_told_by_their_short_names(bench, guest):
    binary = guest(ECHO, imports={"remit:unit/parameters@0.1.7": PARAMETERS, "remit:unit/types@0.1.0": ""})
    assert bench.runner.interfaces(binary) == (frozenset({"parameters"}), frozenset({"provider"}))


@pytest.mark.parametrize(
    "name",
    [
        "remit:unit/everything@0.1.0", "remit:unit/parameters@0.2.0", "remit:unit/parameters@1.0.0",
        "wasi:http/types@0.2.0", "wasi:http/outgoing-handler@0.2.9", "wasi:cli/environment@0.3.0",
        "wasi:filesystem/everything@0.2.0", "evil:unit/parameters@0.1.0",
    ],
)  # fmt: skip
def test_an_interface_outside_the_world_is_refused_by_name(bench, name):
    with pytest.raises(ImportRefused) as caught:
        bench.runner.interfaces(importing(name))
    assert caught.value.details["imports"] == [name]


def test_every_refused_import_is_named(bench):
    binary = wat2wasm(
        '(component (import "a:b/c@1.0.0" (instance)) (import "d:e/f@1.0.0" (instance)) (import "f" (func)))'
    )
    with pytest.raises(ImportRefused) as caught:
        bench.runner.interfaces(bytes(binary))
    assert caught.value.details["imports"] == ["a:b/c@1.0.0", "d:e/f@1.0.0", "f"]


def test_a_function_that_an_interface_does_not_have_is_refused(bench):
    with pytest.raises(ImportRefused, match="shell does not exist"):
        bench.runner.interfaces(importing("remit:unit/parameters@0.1.0", '(export "shell" (func))'))


def test_a_function_under_another_signature_is_refused(bench):
    with pytest.raises(ImportRefused, match="get is"):
        bench.runner.interfaces(importing("remit:unit/parameters@0.1.0", '(export "get" (func (result u64)))'))


def test_an_export_under_another_signature_is_invalid(bench):
    core = '(core module $m (func (export "f"))) (core instance $m (instantiate $m))'
    lifted = '(func $f (canon lift (core func $m "f"))) (instance $p (export "call" (func $f)))'
    with pytest.raises(ArtifactInvalid, match=r"unit\.wit"):
        bench.runner.interfaces(
            bytes(wat2wasm(f'(component {core} {lifted} (export "remit:unit/provider@0.1.0" (instance $p)))'))
        )


def test_an_import_that_the_program_does_not_declare_is_refused_before_it_runs(bench, guest, door):
    binary = guest(ECHO, imports={"remit:unit/parameters@0.1.0": PARAMETERS})
    with pytest.raises(ImportRefused, match="parameters"):
        bench.run(binary, door=door, interfaces=frozenset({"log"}))
    assert door.asked == []


@pytest.mark.parametrize("export", ["handler.handle", "provider.other", "provider", "", "no.such"])
def test_a_missing_export_is_told(bench, echo, door, export):
    unit = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
    program = Program(unit, bench.prepare(echo), "tool", Limits(), frozenset())
    with pytest.raises(ExportMissing):
        bench.runner.run(program, export, ("a", "b"), door, 1000)


def test_a_core_module_is_not_a_component(bench):
    with pytest.raises(ArtifactInvalid, match="core module"):
        bench.runner.interfaces(bytes(wat2wasm("(module)")))


def test_an_async_function_of_the_component_model_is_no_part_of_any_world(bench):
    core = '(core module $m (func (export "f"))) (core instance $m (instantiate $m))'
    component = f'(component {core} (func (export "f") async (canon lift (core func $m "f"))))'
    with pytest.raises(ArtifactInvalid, match="async"):
        bench.runner.interfaces(bytes(wat2wasm(component)))


def test_an_artifact_of_a_hundred_megabytes_is_refused_at_sight(bench):
    with pytest.raises(ArtifactInvalid, match="bytes"):
        bench.runner.interfaces(b"\0asm\x0d\0\x01\0" + bytes(100_000_000))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200).filter(lambda data: not data.startswith(b"\0asm\x0d\0\x01\0")))
def test_random_bytes_are_invalid_without_starting_a_compiler(bench, data):
    with pytest.raises(ArtifactInvalid):
        bench.runner.interfaces(data)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_random_bytes_behind_a_components_header_are_invalid_or_harmless(bench, data):
    try:
        found = bench.runner.interfaces(b"\0asm\x0d\0\x01\0" + data)
    except (ArtifactInvalid, ImportRefused):
        found = (frozenset(), frozenset())
    assert found == (frozenset(), frozenset())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.01, 0.99))
def test_a_truncated_component_is_invalid_or_offers_no_more_than_the_whole(bench, echo, share):
    # Cut between two sections, what is left may be a component of its own.
    try:
        imported, exported = bench.runner.interfaces(echo[: int(len(echo) * share)])
    except ArtifactInvalid:
        imported, exported = frozenset(), frozenset()
    assert imported == frozenset()
    assert exported <= {"provider"}


def test_a_compilation_beyond_its_time_is_given_up(fresh):
    heavy = "(func (result i32) (i32.const 1)" + "(i32.add (i32.const 1))" * 200 + ")"
    binary = bytes(wat2wasm(f"(component (core module {heavy * 400}))"))
    runner = ComponentRunner(fresh.folder, bytes(32), SystemClock(), bounds=CompileBounds(wall_s=0.05))
    with pytest.raises(ArtifactInvalid, match="took more than"):
        runner.interfaces(binary)
    assert list(fresh.folder.iterdir()) == []


def test_a_compilation_beyond_its_memory_is_given_up(fresh, echo):
    runner = ComponentRunner(fresh.folder, bytes(32), SystemClock(), bounds=CompileBounds(memory=1 << 20))
    with pytest.raises(ArtifactInvalid):
        runner.interfaces(echo)
    assert list(fresh.folder.iterdir()) == []


def wit_functions() -> dict[str, dict[str, int]]:
    """Interface → function → number of parameters, read from unit.wit."""
    text = re.sub(r"//[^\n]*", "", (files("remit.schemas") / "unit.wit").read_text())
    found = {}
    for name, body in re.findall(r"interface ([a-z-]+) \{(.*?)\n?\}\s*(?=\n(?:interface|world)|\Z)", text, re.DOTALL):
        functions = re.findall(r"%?([a-z-]+): func\((.*?)\)(?: ->|;)", body)
        found[name] = {function: len(re.findall(r"[a-z-]+:", params)) for function, params in functions}
    return found


def test_the_table_follows_unit_wit():
    table = {**IMPORTS, **EXPORTS}
    assert {name: {f: len(s.params) for f, s in fs.items()} for name, fs in table.items()} == wit_functions()


def test_every_imported_function_has_a_host_function():
    served = {name: set(interface.functions) for name, interface in all_interfaces(SimpleNamespace()).items()}
    assert served == {name: set(functions) for name, functions in IMPORTS.items() if functions}


@given(st.sampled_from(sorted(CLOSED_WASI)), st.integers(0, 99))
def test_the_closed_world_is_of_minor_version_two(name, patch):
    assert is_closed_wasi(f"{name}@0.2.{patch}")
    assert not is_closed_wasi(f"{name}@0.3.{patch}")
    assert not is_closed_wasi(name)
    assert short_name(f"{name}@0.2.{patch}") is None
