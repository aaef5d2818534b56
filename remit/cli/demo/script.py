"""The demo's script: real commands in order, and a check after each that what it promised has happened.

Every command runs in this process through the same entry as ``remit``; the home is also held open here, so the commands
are served as any other program's would be. A check that fails ends the demo with an error.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from rich.text import Text

from remit.cli.demo.sample import PLANTED, UNTOUCHED, leftovers, tickets
from remit.cli.demo.stage import borrow_code, find_units, home_folder, keep_code
from remit.cli.render.demo import counts_table, samples
from remit.cli.root import run
from remit.cli.session import Session
from remit.cli.text import json_text
from remit.errors import EXIT_CHANGES, RemitError
from remit.host import Connection, connect

__all__ = ["play"]

_SECRETS = {"https://collector.example.net", "/etc/passwd"}
"""What the sneaky unit reaches for, and was not granted."""


class _Show:
    """Runs commands before the audience, and checks."""

    def __init__(self, session: Session, home: Path) -> None:
        self._session = session
        self._home = home
        self.checks = 0

    def chapter(self, number: int, title: str) -> None:
        """Announce what comes."""
        self._session.show(Text(f"\n{number}. {title}", style="bold cyan"))

    def command(self, *words: str, code: int = 0) -> None:
        """Print a command, run it, and expect its exit code."""
        shown = shlex.join(word.replace(f"{self._home.parent}/", "") for word in words)
        self._session.show(Text(f"\n$ remit {shown}", style="bold green"))
        with redirect_stdout(StringIO()) if self._session.as_json else nullcontext():
            found = run(*words)
        self.check(found == code, f"'remit {shown}' exits with {code}, not {found}")

    def check(self, holds: bool, promise: str) -> None:
        """Go on only if a promise was kept.

        :raises RemitError: if not
        """
        if not holds:
            raise RemitError(f"the demo broke a promise: {promise}", remedy="run it with --keep DIR and look")
        self.checks += 1


def play(session: Session, keep: Path | None, units: Path | None) -> None:
    """Play the demo.

    :param keep: where to leave the home; a temporary one if ``None``
    :param units: the folder of the first-party units, if not beside the source tree
    :raises RemitError: if anything that the demo promises does not happen
    """
    source = find_units(units)
    with home_folder(keep) as home, _at_home(home):
        show = _Show(session, home)
        show.chapter(1, "A home, and units from folders")
        show.command("init", str(home))
        borrow_code(home)
        with connect(home, program="remit demo") as kernel:
            _install(show, source)
            keep_code(home)
            _activate(show, kernel)
            _mask(session, show, kernel)
            _deny(show, kernel)
            _undo(show, kernel)
        show.chapter(7, "The record of it all")
        show.command("unit", "history")
        show.command("journal", "verify")
        _farewell(session, show, home if keep is not None else None)


@contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """Commands find the home as a person's would, by REMIT_HOME."""
    before = os.environ.get("REMIT_HOME")
    os.environ["REMIT_HOME"] = str(home)
    try:
        yield
    finally:
        if before is None:
            del os.environ["REMIT_HOME"]
        else:
            os.environ["REMIT_HOME"] = before


def _install(show: _Show, units: Path) -> None:
    redact, tone, sneaky = (str(units / name) for name in ("redact", "tone", "wat/sneaky"))
    show.command("unit", "build", redact)
    show.command("unit", "build", sneaky)
    show.command("unit", "install", redact, tone, sneaky, "--allow-unsigned")


def _activate(show: _Show, kernel: Connection) -> None:
    show.chapter(2, "See a change before it happens, then do it")
    show.command("unit", "plan", "acme/redact", "acme/tone", code=EXIT_CHANGES)
    before = kernel.home().generation
    show.check(before == 0, "a plan changes nothing")
    show.command("unit", "apply", "acme/redact", "acme/tone", "--yes", "-m", "mask, and be kind")
    show.check(
        {unit.ref.id for unit in kernel.units() if unit.active} == {"acme/redact", "acme/tone"}, "both are active"
    )


def _mask(session: Session, show: _Show, kernel: Connection) -> None:
    lines = tickets()
    show.chapter(3, f"Run it: {len(lines)} support tickets, each in a sandbox of its own")
    show.command("call", "acme/redact:redact", json_text({"text": lines[0]}, indent=None))
    session.show(Text(f"\n… and so for each of the {len(lines)} lines:", style="bold"))
    masked: list[str] = []
    counts = dict.fromkeys(PLANTED, 0)
    with session.progress() as progress:
        for line in lines:
            output: Mapping[str, Any] = kernel.call("acme/redact:redact", {"text": line})
            masked.append(output["text"])
            counts = {kind: counts[kind] + output["counts"][kind] for kind in counts}
            progress("masking tickets", len(masked) / len(lines))
    session.show(*samples(lines, masked), counts_table(counts, PLANTED))
    untouched = sum(before == after for before, after in zip(lines, masked, strict=True))
    show.check(counts == PLANTED, f"everything planted in the tickets was masked: {PLANTED}, not {counts}")
    show.check(untouched == UNTOUCHED, f"{UNTOUCHED} lines stay as they are, not {untouched}")
    show.check(not leftovers(masked), "no address, mail or number of the example ranges is left")


def _deny(show: _Show, kernel: Connection) -> None:
    show.chapter(4, "A unit that reaches for more than it was given")
    show.command("unit", "apply", "acme/sneaky", "--yes", "-m", "one address and one folder, no more")
    show.command("call", "acme/sneaky:probe")
    show.chapter(5, "What the journal says of it, and which policy decided")
    show.command("events", "--prefix", "lease.denied")
    denials = [record["event"]["data"] for record in kernel.events(prefixes=("lease.denied",))]
    show.check({denial["resource"] for denial in denials} == _SECRETS, "both attempts were denied and journalled")
    show.check(all(denial["policies"] for denial in denials), "each denial names the policy that decided")


def _undo(show: _Show, kernel: Connection) -> None:
    show.chapter(6, "Undo one unit, and only that one")
    show.command("document", "show", "assistant")
    show.check("style" in kernel.document("assistant"), "acme/tone patched the document")
    show.command("unit", "revert", "acme/tone", "--yes")
    show.command("document", "show", "assistant")
    show.check("style" not in kernel.document("assistant"), "the patch of acme/tone is gone")
    active = {unit.ref.id for unit in kernel.units() if unit.active}
    show.check(active == {"acme/redact", "acme/sneaky"}, "the other units stay")
    show.check(kernel.call("acme/redact:redact", {"text": "a@example.com"})["counts"]["email"] == 1, "and still work")


def _farewell(session: Session, show: _Show, kept: Path | None) -> None:
    session.answer(
        {"ok": True, "checks": show.checks, "home": str(kept) if kept is not None else None},
        Text(f"\nWhat you saw ({show.checks} checks passed)", style="bold"),
        Text(
            "  Other people's code ran sandboxed, did its work, and got nothing that policy had not granted;\n"
            "  each change was shown before it was made, and one was undone without touching the rest;\n"
            "  everything stands in a journal whose chain verifies.\n"
        ),
    )
    if kept is not None:
        where = shlex.quote(str(kept))
        session.hint(f"The home stays: export REMIT_HOME={where}; remit unit list; remit events; remit lease list")
    else:
        session.hint("Next: remit demo --keep DIR leaves the home to look at; remit init DIR makes your own")
