"""What is killed: each operation of the lifecycle as data, with the home that it starts from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from remit.host import Kernel, build_unit, init
from tests.crash.killing import Zygote

__all__ = ["SCENES", "Scene"]

ALL = frozenset({"installed", "active", "trials", "state", "grants", "documents", "wanted", "lock", "drift"})
CHANGE = ALL - {"installed"}


@dataclass(frozen=True)
class Scene:
    """One operation that must leave the old home or the new one, wherever it is killed."""

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Path], None]
    """Makes ``home``, and whatever it needs beside it, in a folder."""
    whole: frozenset[str] = ALL
    """The parts that change together. Units come one by one, each whole, whatever else an operation does."""
    again: bool = True
    """Whether doing it once more does nothing; else it is done again only where it was not done."""


def write_unit(folder: Path, name: str, version: str = "1.0.0", more: str = "") -> Path:
    target = folder / f"{name}-{version}"
    target.mkdir(parents=True)
    (target / "unit.toml").write_text(
        f'schema = "unit/v1"\nid = "acme/{name}"\nversion = "{version}"\nkind = "config"\ntitle = "t"\n'
        f'license = "Apache-2.0"\n{more}[[patch]]\ntarget = "assistant"\nop = "merge"\n'
        f'value = {{ {name} = "{version}" }}\n'
    )
    return target


def _home(folder: Path, more: str = "") -> Path:
    home = folder / "home"
    init(home)
    with (home / "remit.toml").open("a") as file:
        file.write(more)
    return home


def _active(folder: Path) -> None:
    """``acme/old`` is active, ``acme/new`` beside it."""
    home = _home(folder)
    write_unit(folder, "new")
    with Kernel.open(home, serve=False) as kernel:
        kernel.install(str(write_unit(folder, "old")), allow_unsigned=True)
        kernel.apply(kernel.plan(add=["acme/old"]), consent=True)


def _installed(folder: Path) -> None:
    _active(folder)
    with Kernel.open(folder / "home", serve=False) as kernel:
        kernel.install(str(folder / "new-1.0.0"), allow_unsigned=True)


def _both(folder: Path) -> None:
    _installed(folder)
    with Kernel.open(folder / "home", serve=False) as kernel:
        kernel.adopt()
        kernel.apply(kernel.plan(add=["acme/new"]), consent=True)


def _superseded(folder: Path) -> None:
    _active(folder)
    with Kernel.open(folder / "home", serve=False) as kernel:
        for version in ("1.1.0", "1.2.0", "1.3.0"):
            kernel.install(str(write_unit(folder, "old", version)), allow_unsigned=True)
            kernel.apply(kernel.plan(add=[f"acme/old@={version}"]), consent=True)


_WAT = Path(__file__).parents[2] / "units/wat/echo"
_COUNTER = Path(__file__).parents[2] / "units/wat/counter"


def _slots(folder: Path) -> None:
    """Two tools that could fill the slot; the first does."""
    home = _home(folder, "\n[slot.guard]\nmany = false\n")
    with Kernel.open(home, serve=False) as kernel:
        for name in ("one", "two"):
            target = folder / name
            shutil.copytree(_WAT, target)
            manifest = (target / "unit.toml").read_text().replace('"acme/echo"', f'"acme/{name}"')
            fills = '[[fills]]\nslot = "guard"\naction = "echo"\n'
            (target / "unit.toml").write_text(f"{manifest.partition('[[test]]')[0]}\n{fills}")
            build_unit(target)
            kernel.install(str(target), allow_unsigned=True)
        kernel.apply(kernel.plan(add=["acme/one"]), consent=True)


def _counters(folder: Path) -> None:
    """A counter that has counted to 2, and its next version beside it."""
    home = _home(folder)
    with Kernel.open(home, serve=False) as kernel:
        for version in ("1.0.0", "1.1.0"):
            target = folder / f"counter-{version}"
            shutil.copytree(_COUNTER, target)
            manifest = (target / "unit.toml").read_text().replace('version = "1.0.0"', f'version = "{version}"')
            (target / "unit.toml").write_text(manifest)
            build_unit(target)
            kernel.install(str(target), allow_unsigned=True)
        kernel.apply(kernel.plan(add=["acme/counter@=1.0.0"]), consent=True)
        for _ in range(2):
            kernel.call("acme/counter:increment")


def _tried(folder: Path) -> None:
    """The next version is on trial, and counted on to 5."""
    _counters(folder)
    with Kernel.open(folder / "home", serve=False) as kernel:
        kernel.apply(kernel.plan(trial=["acme/counter"]), consent=True)
        for _ in range(3):
            kernel.call("acme/counter:increment")


def _shelf(folder: Path) -> None:
    """A source with two units that ``remit.toml`` wants, and a newer version of one of them."""
    _home(folder, '\n[[unit]]\nid = "acme/base"\nversion = "^1.0"\n\n[[unit]]\nid = "acme/top"\nversion = "^1.0"\n')
    write_unit(folder / "shelf", "base")
    write_unit(folder / "shelf", "top")


def _synced(folder: Path) -> None:
    _shelf(folder)
    answer = Zygote()
    answer.run(folder, ("unit", "sync", "--allow-unsigned", "--home", "home"))
    answer.run(folder, ("unit", "apply", "--yes", "--home", "home"))
    answer.close()
    write_unit(folder / "shelf", "base", "1.1.0")
    write_unit(folder / "shelf", "top", "1.2.0")


SCENES = (
    Scene("install", ("unit", "install", "new-1.0.0", "--allow-unsigned"), _active),
    Scene("apply", ("unit", "apply", "acme/new", "--yes"), _installed),
    Scene("revert", ("unit", "revert", "1", "--yes"), _both),
    Scene("promote", ("unit", "promote", "acme/two", "--slot", "guard", "--yes"), _slots),
    Scene("trial", ("unit", "apply", "acme/counter", "--trial", "--share", "10%", "--yes"), _counters),
    Scene(
        "trial-kept",
        ("unit", "promote", "acme/counter", "--keep-state", "--override", "why", "--yes"),
        _tried,
        again=False,
    ),
    Scene("trial-ended", ("unit", "revert", "acme/counter", "--yes"), _tried, again=False),
    Scene("gc", ("unit", "gc", "--keep", "1"), _superseded),
    Scene("sync", ("unit", "sync", "--allow-unsigned"), _shelf, CHANGE),
    Scene("upgrade", ("unit", "upgrade", "--allow-unsigned"), _synced, CHANGE),
)
