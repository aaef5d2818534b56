"""The doctor: runs every check of a home, those of its files, of its rooms and of its plugins, and mends what it may.

A check that fails is itself a trouble. What a plugin's check raises is that plugin's fault, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from remit.errors import RemitError
from remit.host.facade.views import Ailment, Examined
from remit.host.home.checks import file_checks
from remit.host.home.home import Home
from remit.journal import Progress, translate_os_error
from remit.journal.checks import Check, Trouble

if TYPE_CHECKING:
    from remit.host.compose import Rooms

__all__ = ["check_ids", "examine_files", "examine_home", "mended"]

Run = Callable[[Check, Progress], Sequence[Trouble] | None]


def examine_files(root: Path | str, why: RemitError, progress: Progress) -> list[Examined]:
    """The checks of a home whose kernel does not start: of its files alone. Mends nothing.

    :param why: what opening it said, which comes first
    :raises HomeError: if there is no home, or it is not this user's
    """
    home = Home.open(root)
    start = Check("home.opens", "the kernel of the home starts", lambda _progress: [_told(why)])
    return [_examined(check, _tried(check, progress), ()) for check in (start, *file_checks(home))]


def examine_home(rooms: Rooms, progress: Progress, only: Container[str] = ()) -> Iterator[Examined]:
    """Every check of an open home.

    :param only: ids of the checks whose troubles are mended
    """
    for check, run in _checks(rooms):
        yield _examined(check, run(check, progress) or (), only)


def check_ids(rooms: Rooms) -> set[str]:
    """The ids of every check."""
    return {check.id for check, _ in _checks(rooms)}


def _checks(rooms: Rooms) -> Iterator[tuple[Check, Run]]:
    for check in (*file_checks(rooms.home), *_room_checks(rooms)):
        yield check, _tried
    for name, check in rooms.plugins.offers("remit_doctor_checks", Check, home=rooms.home):
        yield check, partial(_asked, rooms, name)


def _asked(rooms: Rooms, plugin: str, check: Check, progress: Progress) -> list[Trouble] | None:
    return rooms.plugins.run(plugin, f"check {check.id}", _tried, check, progress)


def _tried(check: Check, progress: Progress) -> list[Trouble]:
    try:
        return list(check.run(progress))
    except RemitError as error:
        return [_told(error)]
    except OSError as error:
        return [_told(translate_os_error(error, f"looking at {check.title}"))]


def _told(error: RemitError) -> Trouble:
    return Trouble("error", f"{error.message} ({error.code})", error.remedy)


def _examined(check: Check, troubles: Sequence[Trouble], mending: Container[str]) -> Examined:
    found = []
    for trouble in troubles:
        mended = trouble.mend is not None and check.id in mending
        if mended and trouble.mend is not None:
            trouble.mend()
        found.append(Ailment(trouble.severity, trouble.cause, trouble.remedy, trouble.fix, mended))
    return Examined(check.id, check.title, tuple(found))


# ---- what takes an open home to see ----


def _room_checks(rooms: Rooms) -> list[Check]:
    return [
        Check("units.blobs", "every installed unit is here whole", partial(_installed, rooms)),
        Check("units.drift", "remit.toml and remit.lock against what is active", partial(_drift, rooms)),
        Check("leases", "the grants in force against the generation", partial(_leases, rooms)),
        Check("plugins", "the plugins", partial(_plugins, rooms)),
    ]


def _installed(rooms: Rooms, progress: Progress) -> Iterator[Trouble]:
    lifecycle, blobs = rooms.lifecycle, rooms.journal.blobs
    units = list(lifecycle.installed.by_digest.values())
    active = {unit.ref.digest for unit in lifecycle.generations.active.units}
    for number, unit in enumerate(units):
        progress("looking at installed units", number / len(units))
        name = f"{unit.ref.id}@{unit.ref.version}"
        try:
            missing = [
                file for file, digest in lifecycle.library.layers(unit.ref.digest).items() if not blobs.has(digest)
            ]
        except RemitError as error:
            missing = [error.message]
        if missing:
            remedy = f"install {name} again" if unit.ref.digest in active else f"run 'remit unit uninstall {name}'"
            yield Trouble("error", f"{name} is not here whole: {', '.join(missing[:3])}", remedy)


def _drift(rooms: Rooms, _progress: Progress) -> Iterator[Trouble]:
    lifecycle = rooms.lifecycle
    for drift in lifecycle.drift():
        where = f"{drift.name}: " if drift.name else ""
        yield Trouble(
            "note", f"remit.toml says otherwise than what is active: {where}{drift.detail}", "run 'remit unit plan'"
        )
    lock = lifecycle.lock.read()
    if lock is None:
        return
    for unit in lifecycle.generations.active.units:
        locked = lock.digests.get(unit.ref.id)
        if locked != unit.ref.digest:
            cause = f"{unit.ref.id} runs as {unit.ref.digest[:19]}, and remit.lock says {(locked or 'nothing')[:19]}"
            yield Trouble("warning", cause, f"run 'remit unit apply {unit.ref.id}', or 'remit unit sync'")


def _leases(rooms: Rooms, _progress: Progress) -> Iterator[Trouble]:
    generation = {grant.id for grant in rooms.lifecycle.generations.active.grants}
    held = {status.grant.id for status in rooms.authority.grants()}
    for grant in sorted(held - generation):
        yield Trouble("error", f"the grant {grant} is held, and the generation does not give it", "restart the kernel")
    for grant in sorted(generation - held):
        yield Trouble("error", f"the grant {grant} of the generation is not held", "restart the kernel")


def _plugins(rooms: Rooms, _progress: Progress) -> list[Trouble]:
    return [Trouble("warning", finding.message, finding.remedy) for finding in rooms.plugins.findings()]


def mended(found: Sequence[Examined]) -> list[dict[str, object]]:
    """What was mended, for the journal."""
    return [
        {"check": one.id, **msgspec.to_builtins(ailment)} for one in found for ailment in one.ailments if ailment.mended
    ]
