"""Which unit runs on which runtime: the matrix says so, and a "no" of it keeps a plan from being applied."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from remit.errors import ConfigInvalid, PlanBlocked
from remit.host import Kernel

TONE = "acme/tone"


@pytest.fixture
def tone(kernel: Kernel, author) -> Kernel:
    kernel.install(str(author.config(TONE, "{ a = 1 }")), allow_unsigned=True)
    return kernel


def say(home: Path, entry: str) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write(f'\n[[incompatible]]\nunit = "{TONE}"\n{entry}\n')


def test_what_nothing_speaks_against_works_in_every_cell(tone: Kernel) -> None:
    [row] = tone.state("runtime_matrix")
    assert (row["unit"], row["version"], row["works"]) == (TONE, "1.0.0", True)
    assert set(row["cells"]) == {"remit", "world", "engine", "architecture"}
    assert all(cell["works"] and cell["value"] and not cell["why"] for cell in row["cells"].values())


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ('engine = ">=1"\nreason = "it hangs"', "engine"),
        (f'architecture = "{platform.machine()}"', "architecture"),
        ('versions = "<1.1"\nremit = ">=0.1.0"', "remit"),
        ('world = ">=0.1"', "world"),
    ],
)
def test_a_no_names_its_cell_and_stops_the_plan(tone: Kernel, home: Path, entry: str, part: str) -> None:
    say(home, entry)
    [row] = tone.state("runtime_matrix")
    assert [name for name, cell in row["cells"].items() if not cell["works"]] == [part]
    plan = tone.plan(add=[TONE])
    assert [finding.id for finding in plan.blocking] == [f"compatibility.{part}"]
    with pytest.raises(PlanBlocked):
        tone.apply(plan)


@pytest.mark.parametrize(
    "entry", ['engine = "<1"', 'architecture = "pdp11"', 'versions = ">=2"', 'engine = ">=1"\narchitecture = "pdp11"']
)
def test_an_entry_of_another_runtime_or_version_says_nothing(tone: Kernel, home: Path, entry: str) -> None:
    say(home, entry)
    assert tone.state("runtime_matrix")[0]["works"]
    assert tone.apply(tone.plan(add=[TONE])).number == 1


def test_a_version_that_needs_another_remit_is_a_no_of_its_manifest(kernel: Kernel, author) -> None:
    kernel.install(str(author.config(TONE, "{ a = 1 }", more='[requires]\nremit = ">=9"')), allow_unsigned=True)
    [row] = kernel.state("runtime_matrix")
    assert "needs remit >=9" in row["cells"]["remit"]["why"]


def test_a_range_that_is_none_is_a_fault_with_its_path(tone: Kernel, home: Path) -> None:
    say(home, 'engine = "newest"')
    with pytest.raises(ConfigInvalid, match=r"incompatible\[0\]\.engine"):
        tone.plan(add=[TONE])


def test_the_matrix_as_of_a_record_has_what_was_installed_then(tone: Kernel) -> None:
    assert tone.state("runtime_matrix", at=1) == []
    assert "runtime_matrix" in tone.models()
