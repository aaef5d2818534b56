"""A counter on trial, as the tests of trials begin one and look at it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from remit.host import Kernel
from remit.kernel.model import Caller
from remit.units import Terms
from remit.units.generations.terms import WHOLE, lot

HALF = Terms(share=5_000, calls=2, errors=WHOLE)


COUNTER = "acme/counter"


def version(folder: Path, number: str, target: Path, *, without: str = "", more: str = "") -> Path:
    """Another version of a built unit."""
    shutil.copytree(folder, target)
    manifest = (target / "unit.toml").read_text().replace('version = "1.0.0"', f'version = "{number}"')
    (target / "unit.toml").write_text(manifest.replace(without, "") + more)
    return target


def begin(kernel: Kernel, terms: Terms = HALF, item: str = COUNTER) -> str:
    return kernel.apply(kernel.plan(trial=[item], terms=terms), consent=True).trials[0].id


def episode(trial: str, *, taken: bool, number: int = 0) -> Caller:
    """The caller of an episode that the arm takes at a share of a half, or does not."""
    found = (f"e{index}" for index in range(10_000) if (lot(trial, f"e{index}") < 5_000) is taken)
    return Caller(correlation=[next(found) for _ in range(number + 1)][-1])


def count(kernel: Kernel, caller: Caller) -> int:
    return kernel.call("acme/counter:increment", caller=caller)["count"]


def arms(kernel: Kernel, trial: str) -> dict[str, Any]:
    [found] = [one for one in kernel.state("experiments") if one["id"] == trial]
    return found


def rows(kernel: Kernel) -> list[tuple[Any, ...]]:
    return sorted(kernel._rooms.journal.execute("SELECT * FROM unit_state"))


# ---- evidence, promotion and the end ----


def evidence(kernel: Kernel, trial: str) -> None:
    for taken in (True, False):
        for number in range(2):
            kernel.call("acme/counter:read", caller=episode(trial, taken=taken, number=number))
