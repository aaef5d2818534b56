"""First-party units that misbehave, through the whole house: each ends in its own code, and the next call is fine."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from remit.errors import (
    DeadlineExceeded,
    GuestTextInvalid,
    GuestTrapped,
    ImportRefused,
    MemoryExceeded,
    OutputTooLarge,
    RemitError,
    StackExceeded,
)
from remit.host import Kernel, build_unit, init

WAT = Path(__file__).parents[2] / "units" / "wat"

ENDS: dict[str, tuple[type[RemitError], ...]] = {
    "loop": (DeadlineExceeded,),
    # A refused growth is an answer to the guest; this one then traps on it.
    "grow": (MemoryExceeded, GuestTrapped),
    "recurse": (StackExceeded,),
    "trap": (GuestTrapped,),
    "badtext": (GuestTextInvalid,),
    "flood": (OutputTooLarge,),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, unit):
    """A home in which every misbehaving unit is active, beside ``echo``."""
    root = tmp_path_factory.mktemp("hostile") / "home"
    init(root)
    with Kernel.open(root) as kernel:
        added = [kernel.install(str(unit(name)), allow_unsigned=True) for name in (*ENDS, "echo")]
        kernel.apply(kernel.plan(add=added), consent=True)
        yield kernel


@pytest.mark.parametrize("name", ENDS)
def test_a_misbehaving_unit_ends_in_its_code_and_the_next_call_is_fine(hostile, name):
    [action] = [action["name"] for action in hostile.actions() if action["unit"] == f"acme/{name}"]
    with pytest.raises(ENDS[name]):
        hostile.call(action, {})
    assert hostile.call("acme/echo:echo", {"still": "here"}) == {"still": "here"}


@pytest.mark.parametrize("name", ENDS)
def test_its_end_is_in_the_journal_with_the_code(hostile, name):
    [action] = [action["name"] for action in hostile.actions() if action["unit"] == f"acme/{name}"]
    with pytest.raises(RemitError) as ended:
        hostile.call(action, {})
    [record] = hostile.events(last=1, prefixes=["action."])
    assert (record["event"]["type"], record["event"]["data"]["code"]) == ("action.failed", ended.value.code)


def test_an_undeclared_import_does_not_come_in(kernel, unit):
    with pytest.raises(ImportRefused, match="secrets"):
        kernel.install(str(unit("undeclared")), allow_unsigned=True)
    assert [entry.ref.id for entry in kernel.units() if entry.ref.id == "acme/undeclared"] == []


TELLING = {"actions", "activity", "episodes", "health", "leases", "metrics", "topology"}
"""Read models that tell of the call itself, and of its denial."""


@pytest.mark.parametrize("topic", ["lease.counter.x", "unit.counter.xx"])
def test_a_unit_that_speaks_for_the_kernel_is_denied_and_moves_no_read_model(kernel, tmp_path, topic):
    folder = tmp_path / "liar"
    shutil.copytree(WAT / "counter", folder, ignore=shutil.ignore_patterns("*.wasm", ".cache"))
    source = folder / "counter.wat"
    source.write_text(source.read_text().replace("counter.changed", topic))
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('"acme/counter"', '"acme/liar"'))
    build_unit(folder)
    kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
    before = {model: kernel.state(model) for model in kernel.models() if model not in TELLING}
    grants = kernel.state("leases")["grants"]
    with suppress(RemitError):
        kernel.call("acme/liar:increment", {})
    assert kernel.events(prefixes=[topic]) == []
    assert {model: kernel.state(model) for model in before} == before
    assert kernel.state("leases")["grants"] == grants
    assert [e["event"]["data"]["resource"] for e in kernel.events(prefixes=["lease.denied"])] == [topic]


def test_a_call_that_traps_after_writing_and_emitting_leaves_neither(active_home):
    with Kernel.open(active_home) as kernel:
        before = kernel.call("acme/counter:read", {})
        with pytest.raises(GuestTrapped):
            kernel.call("acme/counter:spoil", {})
        assert kernel.call("acme/counter:read", {}) == before
        assert kernel.events(prefixes=["counter."]) == []
