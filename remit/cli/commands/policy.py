"""Policies of a running home: why they decide as they do, what a candidate would change, and putting it in force."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit
from rich.text import Text

from remit.cli.commands.drafts import read_texts
from remit.cli.render.authority import explanation, facts
from remit.cli.render.layout import table
from remit.cli.session import Session, verb
from remit.cli.text import one_line, short_digest
from remit.errors import EXIT_CHANGES, UsageError

__all__ = ["diff", "explain", "history", "posture", "publish", "rollback", "shadow", "what_if"]

_PATH = click.argument("path", metavar="[DIR]", default=None, required=False, type=click.Path(path_type=Path))
_POSTURE = click.option("--posture", default="", help="With this posture, not the one in force.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")


def _texts(path: Path | None) -> Mapping[str, str] | None:
    return read_texts(path) if path is not None else None


@verb("explain", example="remit policy explain 42\nremit policy explain acme/sneaky net:http https://example.com")
@click.argument("words", metavar="RECORD | ID ACTION RESOURCE", nargs=-1, required=True)
def explain(session: Session, words: tuple[str, ...]) -> None:
    """Show why a decision comes out as it does.

    Names a denial's record in the journal, or a unit and a capability. For a denial that no policy made, it shows
    each permit that came close and the conditions that failed.
    """
    with session.connect() as kernel:
        if len(words) == 1 and words[0].isdigit():
            found = kernel.events(int(words[0]) - 1, limit=1)
            data = found[0]["event"].get("data") if found and found[0]["seq"] == int(words[0]) else None
            if not isinstance(data, dict) or not {"unit", "action", "resource"} <= data.keys():
                raise UsageError(f"record {words[0]} is no denial", remedy="see 'remit events --prefix lease.denied'")
            words = (data["unit"], data["action"], data["resource"])
        if len(words) != 3:  # noqa: PLR2004 - unit, action, resource
            raise UsageError("name a record, or a unit, an action and a resource")
        said = kernel.why(*words)
    what = f"{said['unit']}: {said['action']} on {said['resource']}"
    session.answer(said, Text(one_line(what), style="bold"), *explanation(said))


@verb("diff", example="remit policy diff draft")
@_PATH
@_POSTURE
def diff(session: Session, path: Path | None, posture: str) -> None:
    """Show what differs from the set in force.

    The candidate is a folder of policy files, or the home's own as they lie there. Exits with 2 if there is a change.
    """
    with session.connect() as kernel:
        found = kernel.policy_diff(_texts(path), posture=posture)
    session.answer(found, *_changes(found))
    if found["changes"]:
        raise Exit(EXIT_CHANGES)


def _changes(found: Mapping[str, Any]) -> list[Text]:
    marks = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    lines = [
        Text.assemble(
            (f"{marks[one['change']][0]} ", marks[one["change"]][1]),
            one_line(f"{one['effect']} {one['policy']}"),
            ("  may allow more" if one["widens"] else "", "yellow"),
            (f"  {one_line(one['why'])}" if one["why"] else "", "dim"),
        )
        for one in found["changes"]
    ]
    return lines or [Text("no policy differs")]


@verb("what-if", example="remit policy what-if draft")
@_PATH
@_POSTURE
def what_if(session: Session, path: Path | None, posture: str) -> None:
    """Decide the journal's decisions again under a candidate.

    Shows those that would come out otherwise: each grant that was given, each use and call that was made or refused.
    """
    with session.connect() as kernel:
        found = kernel.policy_what_if(_texts(path), posture=posture)
    shown = table("who", "may", "now", "then", "by")
    for flip in found["flips"]:
        may = f"{flip['action']} on {flip['resource']}"
        then = ", ".join(flip["after_policies"])
        shown.add_row(*(Text(one_line(one)) for one in (flip["principal"], may, flip["before"], flip["after"], then)))
    summary = Text(f"{len(found['flips']) + found['more']} of {found['questions']} decisions would flip")
    session.answer(found, *_changes(found), *([shown] if found["flips"] else []), summary)


@verb("shadow", example="remit policy shadow draft\nremit policy shadow\nremit policy shadow --stop")
@_PATH
@_POSTURE
@click.option("--stop", is_flag=True, help="Stop the shadow.")
def shadow(session: Session, path: Path | None, posture: str, *, stop: bool) -> None:
    """Run a candidate beside the set in force.

    It grants nothing; what it would decide otherwise is journalled. Without a DIR, shows what the shadow has found
    so far.
    """
    with session.connect() as kernel:
        if stop:
            found = kernel.policy_end_shadow()
            session.answer(found, Text("the shadow has ended"), *_differences(found))
        elif path is not None or posture:
            found = kernel.policy_shadow(_texts(path), posture=posture)
            session.answer(found, Text(f"in shadow: {short_digest(found['after'])}"), *_changes(found))
        else:
            found = kernel.state("policy")["shadow"]
            lines = [Text(f"in shadow: {short_digest(found['digest'])} since {found['at']}")] if found else []
            session.answer(found, *(lines or [Text("no set runs in shadow")]), *_differences(found or {}))


def _differences(found: Mapping[str, Any]) -> list[Text]:
    listed = found.get("differences", [])
    lines = [
        Text(
            one_line(f"  {one['principal']}: {one['action']} on {one['resource']}: {one['live']}, then {one['shadow']}")
        )
        for one in listed
    ]
    return [*lines, Text(f"{len(listed)} difference(s)")]


@verb("publish", example="remit policy publish draft --reason 'ticket 7'")
@_PATH
@_POSTURE
@_REASON
@click.option("--override", is_flag=True, help="Insist, though it allows more and did not run in shadow.")
def publish(session: Session, path: Path | None, posture: str, reason: str, *, override: bool) -> None:
    """Put a candidate in force.

    Effective at the next check, without a restart. The folder's files replace the home's. A candidate that may
    allow more must have run in shadow, or needs --override by a role that may.
    """
    with session.connect() as kernel:
        found = kernel.policy_publish(_texts(path), posture=posture, reason=reason, override=override)
    session.answer(found, Text(f"in force: {short_digest(found['digest'])}", style="bold green"))


@verb("rollback", example="remit policy rollback")
@click.argument("digest", metavar="[DIGEST]", default="")
@_REASON
def rollback(session: Session, digest: str, reason: str) -> None:
    """Put an earlier set in force again.

    That is the last other one, or the one whose digest begins so.
    """
    with session.connect() as kernel:
        found = kernel.policy_rollback(digest.removeprefix("sha256:"), reason=reason)
    session.answer(found, Text(f"in force again: {short_digest(found['digest'])}", style="bold green"))


@verb("history", example="remit policy history")
def history(session: Session) -> None:
    """List the sets that were in force."""
    with session.connect() as kernel:
        found = kernel.state("policy")
    shown = table("set", "posture", "since", "by", "why")
    for one in reversed(found["history"]):
        words = (short_digest(one["digest"]), one["posture"], one["at"], one["by"] or "the start", one["reason"])
        shown.add_row(*(Text(one_line(word)) for word in words))
    session.answer(found, shown)


@verb("posture", example="remit policy posture strict --yes")
@click.argument("name", metavar="[relaxed|standard|strict]", default="")
@click.option("--yes", is_flag=True, help="Change it; without, only the difference is shown.")
@click.option("--override", is_flag=True, help="Insist, though it allows more and did not run in shadow.")
def posture(session: Session, name: str, *, yes: bool, override: bool) -> None:
    """Show the posture, or change it.

    With a name, shows what it would change; with --yes too, changes it. Exits with 2 if there is a difference that
    was not applied.
    """
    with session.connect() as kernel:
        if not name:
            live = kernel.state("policy")["live"]
            session.answer(live, facts({"posture": live["posture"], "set": short_digest(live["digest"])}))
            return
        found = kernel.policy_diff(posture=name)
        if yes:
            published = kernel.policy_publish(posture=name, reason=f"posture {name}", override=override)
            found |= {"published": published}
    done = [Text(f"the posture is {name}", style="bold green")] if yes else []
    session.answer(found, *_changes(found), *done)
    if not yes and found["changes"]:
        raise Exit(EXIT_CHANGES)
