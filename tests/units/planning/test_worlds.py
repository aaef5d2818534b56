"""Worlds of other versions: what was built for an earlier one runs, what needs a later one is told which."""

from __future__ import annotations

import shutil

import pytest

from remit.errors import ImportRefused, PlanBlocked
from remit.host import build_unit
from remit.schemas import formats


@pytest.fixture
def built(unit, tmp_path):
    """A copy of the counter, with its world's version, its text or its manifest changed, built."""

    def build(*, world="0.1.0", source=("", ""), manifest=("", "")):
        folder = tmp_path / "counter"
        shutil.copytree(unit("counter"), folder, ignore=shutil.ignore_patterns("*.wasm", ".cache"))
        wat, toml = folder / "counter.wat", folder / "unit.toml"
        wat.write_text(wat.read_text().replace("@0.1.0", f"@{world}").replace(*source))
        toml.write_text(toml.read_text().replace(*manifest))
        build_unit(folder)
        return str(folder)

    return build


def counted(kernel, folder):
    kernel.apply(kernel.plan(add=[kernel.install(folder, allow_unsigned=True)]), consent=True)
    return [kernel.call("acme/counter:increment", {})["count"] for _ in range(2)]


def test_a_unit_of_an_earlier_minor_world_runs_on_a_host_of_a_later_one(kernel, built, monkeypatch):
    folder = built()
    monkeypatch.setattr(formats, "WORLD", "0.1.9")
    assert counted(kernel, folder) == [1, 2]


@pytest.mark.parametrize("world", ["0.1.1", "0.1.9", "0.1.10"])
def test_a_unit_of_a_later_patch_runs_where_all_that_it_uses_is_offered(kernel, built, world):
    assert counted(kernel, built(world=world)) == [1, 2]


@pytest.mark.parametrize("world", ["0.2.0", "1.0.0"])
def test_a_component_of_a_later_world_is_refused_with_the_world_that_would_do(kernel, built, world):
    with pytest.raises(ImportRefused) as refused:
        kernel.install(built(world=world), allow_unsigned=True)
    assert f"world {world}" in refused.value.message
    assert formats.WORLD in refused.value.message


def test_a_function_that_a_later_patch_added_is_refused_by_its_name(kernel, built):
    folder = built(world="0.1.9", source=('"emit"', '"emit-many"'))
    with pytest.raises(ImportRefused, match="emit-many does not exist"):
        kernel.install(folder, allow_unsigned=True)


@pytest.mark.parametrize("needs", ["0.2", "1", ">=0.1.5,<0.2"])
def test_a_unit_that_says_it_needs_a_later_world_is_kept_out_with_the_world_that_would_do(kernel, built, needs):
    unit = kernel.install(built(manifest=('world = "0.1"', f'world = "{needs}"')), allow_unsigned=True)
    [finding] = kernel.plan(add=[unit]).blocking
    assert finding.id == "requires.world"
    assert needs in finding.message
    assert needs in finding.remedy
    with pytest.raises(PlanBlocked):
        kernel.apply(kernel.plan(add=[unit]))


def test_a_host_of_that_later_world_takes_it(kernel, built, monkeypatch):
    folder = built(manifest=('world = "0.1"', 'world = ">=0.1.5,<0.2"'))
    monkeypatch.setattr(formats, "WORLD", "0.1.5")
    assert counted(kernel, folder) == [1, 2]
