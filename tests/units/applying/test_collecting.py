"""Garbage collection: what is superseded goes, what anything kept needs never does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.host import Kernel
from remit.kernel.hookspecs import hookimpl

Install = Callable[[Path], str]
LONG_AGO = 7_200


def age(home: Path) -> None:
    """Make every blob two hours old."""
    past = time.time() - LONG_AGO
    for path in (home / ".remit" / "blobs").rglob("*"):
        os.utime(path, (past, past))


def versions(kernel: Kernel) -> list[str]:
    return [entry.ref.version for entry in kernel.units()]


@pytest.fixture
def five(kernel: Kernel, author, install: Install) -> Kernel:
    """``acme/tone`` upgraded four times: generations 1 to 5, versions 1.0.0 to 1.4.0."""
    for minor in range(5):
        install(author.config("acme/tone", f"{{ a = {minor} }}", version=f"1.{minor}.0"))
        kernel.apply(kernel.plan(add=["acme/tone"]))
    return kernel


@pytest.mark.parametrize("keep", [0, 1, 3, 4, 10])
def test_every_kept_generation_stays_possible_to_go_back_to(five: Kernel, home: Path, keep: int) -> None:
    age(home)
    five.gc(keep=keep)
    assert versions(five) == [f"1.{minor}.0" for minor in range(max(0, 4 - keep), 5)]
    for number in range(max(1, 5 - keep), 6):
        assert not five.plan(revert=str(number)).blocking
        assert five.generation(number)["effective"]["assistant"]["a"] == number - 1


def test_a_dry_run_says_what_a_collection_does_and_does_nothing(five: Kernel, home: Path) -> None:
    age(home)
    blobs = set(five._rooms.journal.blobs.digests())
    said = five.gc(keep=1, dry_run=True)
    assert set(five._rooms.journal.blobs.digests()) == blobs
    assert versions(five)[0] == "1.0.0"
    assert five.gc(keep=1) == said
    assert blobs - set(five._rooms.journal.blobs.digests()) == set(said.blobs) != set()
    again = five.gc(keep=1)
    assert (again.units, again.blobs) == ((), ())


def test_what_is_installed_and_never_ran_stays(five: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/other", "{ b = 1 }"))
    age(home)
    five.gc(keep=0)
    assert not five.plan(add=["acme/other"]).blocking


def test_a_pinned_version_stays(five: Kernel, home: Path) -> None:
    five.apply(five.plan(pin={"acme/tone": "=1.2.0"}))
    five.apply(five.plan(pin={"acme/tone": "=1.1.0"}))
    age(home)
    five.gc(keep=0)
    assert "1.1.0" in versions(five)
    assert "1.2.0" not in versions(five)


def test_payloads_of_the_journal_stay(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool"))
    kernel.apply(kernel.plan(add=["acme/tool"]))
    text = "x" * 200_000
    kernel.call("acme/tool:echo", {"text": text})
    age(home)
    kernel.gc(keep=0)
    for record in kernel._rooms.journal.read():
        kernel._rooms.journal.data(record)


def test_a_blob_that_nobody_knows_goes_when_it_is_old(kernel: Kernel, home: Path) -> None:
    digest = kernel._rooms.journal.blobs.put(b"left behind by a crash")
    assert kernel.gc().blobs == ()
    age(home)
    assert kernel.gc().blobs == (digest,)


class Keeper:
    """A plugin that needs a blob."""

    def __init__(self) -> None:
        self.roots: list[str] = []
        self.fails = False

    @hookimpl
    def remit_gc_roots(self) -> list[str]:
        if self.fails:
            raise OSError
        return self.roots


@pytest.fixture
def kept(home: Path) -> Iterator[tuple[Kernel, Keeper]]:
    keeper = Keeper()
    with Kernel.open(home, serve=False, plugins={"keeper": keeper}) as kernel:
        yield kernel, keeper


def test_a_plugins_roots_stay_with_all_that_a_bundle_needs(kept, home: Path, author) -> None:
    kernel, keeper = kept
    unit = kernel.install(str(author.config("acme/tone", "{ a = 1 }")), allow_unsigned=True)
    kernel.uninstall("acme/tone")
    keeper.roots = [unit.ref.digest]
    age(home)
    assert kernel.gc(keep=0).blobs == ()
    keeper.roots = []
    assert len(kernel.gc(keep=0).blobs) == 2


def test_nothing_is_collected_while_a_plugin_cannot_say_what_it_needs(kept, home: Path) -> None:
    kernel, keeper = kept
    kernel._rooms.journal.blobs.put(b"the plugin's own")
    age(home)
    keeper.fails = True
    with pytest.raises(RemitError):
        kernel.gc()
    assert len(list(kernel._rooms.journal.blobs.digests())) == 1


def test_a_collection_that_is_cut_off_anywhere_is_finished_by_the_next(kernel: Kernel, author) -> None:
    for number in range(3):
        unit = kernel.install(str(author.tool("acme/tone", version=f"1.{number}.0")), allow_unsigned=True)
        kernel.apply(kernel.plan(add=[unit]), consent=True)
    blobs = kernel._rooms.journal.blobs
    garbage = kernel.gc(keep=0, dry_run=True)
    kept = set(blobs.digests()) - set(garbage.blobs)
    for count in range(len(garbage.blobs)):
        # As a kill after so many removals leaves it; what is gone by then is not looked for again.
        blobs.path(garbage.blobs[count]).unlink()
        assert set(kernel.gc(keep=0, dry_run=True).blobs) == set(garbage.blobs[count + 1 :])
    assert set(blobs.digests()) == kept
