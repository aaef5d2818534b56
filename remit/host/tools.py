"""Work on files that needs no kernel: making a home, checking and building a unit, checking policies, reading journals.

These answer even where a kernel would refuse to start: a broken policy or journal is what they are for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import ArtifactInvalid, ManifestInvalid
from remit.host.home import Home
from remit.journal import Journal, Progress, VerifyReport, no_progress, verify
from remit.policy.plugin import check_home
from remit.schemas import Fault
from remit.units.build import build
from remit.units.manifest import Manifest, check

if TYPE_CHECKING:
    from remit.sandbox.inspecting import Inspection

__all__ = ["build_unit", "check_policies", "check_unit", "init", "inspect_file", "read_journal", "verify_journal"]


def init(root: Path | str) -> Home:
    """Make a home: ``remit.toml``, ``policy/`` and the kernel's private folder with an empty journal.

    :raises HomeExists: if one stands there
    """
    home = Home.create(Path(root))
    journal = Journal(home.private, home.clock, home.ids)
    home.id = journal.home_id
    journal.close()
    return home


def check_unit(folder: Path | str) -> tuple[Manifest | None, list[Fault]]:
    """Every fault of a unit's folder; the artifact need not be built yet."""
    return check(Path(folder), artifact=False)


def build_unit(folder: Path | str, progress: Progress = no_progress) -> Path:
    """Make a unit's artifact from its source and give its path.

    :raises ManifestInvalid: if ``unit.toml`` has faults
    :raises BuildFailed: if the toolchain refuses
    """
    manifest, faults = check_unit(folder)
    if manifest is None:
        raise ManifestInvalid(
            f"{folder} has {len(faults)} fault(s): {faults[0].path} {faults[0].message}",
            faults=msgspec.to_builtins(faults),
        )
    return build(Path(folder), manifest, progress)


def inspect_file(path: Path | str, progress: Progress = no_progress) -> Inspection:
    """What a component imports and exports, the actions that could be made of it, and what it would need.

    :raises ArtifactInvalid: if it is no component, or takes too much to compile
    """
    from remit.sandbox.inspecting import MAX_COMPONENT, inspect_component  # noqa: PLC0415 - wasmtime loads when wanted

    try:
        with Path(path).open("rb") as file:
            component = file.read(MAX_COMPONENT + 1)
    except OSError as error:
        raise ArtifactInvalid(f"{path} cannot be read: {error.strerror}", remedy="name a component's file") from error
    return inspect_component(component, progress)


def check_policies(root: Path | str) -> list[Any]:
    """What is wrong with a home's policies."""
    return check_home(Home.open(root))


def read_journal(root: Path | str) -> Journal:
    """The journal of a home for reading, whether or not a kernel runs.

    :raises JournalError: if it cannot be trusted or read
    """
    home = Home.open(root)
    return Journal(home.private, home.clock, home.ids, write=False)


def verify_journal(root: Path | str, progress: Progress = no_progress) -> VerifyReport:
    """Check a home's journal, whether or not a kernel runs.

    :raises ChainBroken: at the first row that does not follow
    :raises JournalTruncated: if it ends before its checkpoint
    """
    journal = read_journal(root)
    try:
        return verify(journal, progress)
    finally:
        journal.close()
