"""The options of a trial, for the commands that may begin one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from remit.errors import UsageError
from remit.units import Terms
from remit.units.generations.terms import MOST_SLOWER, WHOLE, parse_share

__all__ = ["Tried", "trial_options", "tried"]

_OPTIONS = (
    click.option("--trial", is_flag=True, help="Run the versions named beside the active ones, to see how they do."),
    click.option("--share", metavar="P%", help="Trial: of the episodes in scope, those that it takes. All by default."),
    click.option("--principal", metavar="NAME", help="Trial: only calls of this principal."),
    click.option("--namespace", metavar="NAME", help="Trial: only calls in this namespace."),
    click.option("--episode", metavar="PREFIX", help="Trial: only calls whose correlation id begins so."),
    click.option("--calls", type=click.IntRange(min=1), metavar="N", help="Trial: calls of each arm before it may be "
                 "promoted; 50 by default."),
    click.option("--max-errors", metavar="P%", help="Trial: failed calls beyond which it ends itself; 5% by default."),
    click.option("--slower", metavar="P%", help="Trial: how much slower it may be and be promoted; 25% by default."),
)  # fmt: skip
_FIELDS = {"max_errors": "errors"}
_NAMES = ("share", "principal", "namespace", "episode", "calls", "max_errors", "slower")


class Tried(NamedTuple):
    """That the units named are to be tried."""

    terms: Terms


def trial_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a trial."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def tried(options: Mapping[str, Any]) -> Tried | None:
    """The terms that options say; ``None`` without ``--trial``.

    :raises UsageError: if they say them without it, or say no calls
    """
    given = {name: options[name] for name in _NAMES if options[name] is not None}
    if not options["trial"]:
        if given:
            option = f"--{next(iter(given)).replace('_', '-')}"
            raise UsageError(f"{option} is an option of a trial", remedy="add --trial")
        return None
    if not given.keys() & {"share", "principal", "namespace", "episode"}:
        raise UsageError("nothing says which calls the trial takes", remedy="add --share 10%, or name a scope")
    terms = {_FIELDS.get(name, name): value for name, value in given.items()}
    for name in ("share", "errors", "slower"):
        if name in terms:
            terms[name] = parse_share(terms[name], MOST_SLOWER if name == "slower" else WHOLE)
    return Tried(Terms(**terms))
