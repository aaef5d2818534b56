"""From a unit's folder to others: packing, publishing, and finding what others published. Needs no home."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from remit import host
from remit.cli.commands.signing import sign_options
from remit.cli.render.registry import offer_details, offer_table
from remit.cli.session import Session, verb
from remit.cli.text import plain, short_digest
from remit.errors import ReferenceUnknown

__all__ = ["info", "pack", "publish", "search"]

_PATH = click.Path(path_type=Path)


@verb("pack", example="remit unit pack ./redact\nremit unit pack ./redact -o redact.unit")
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("-o", "--output", metavar="FILE", type=_PATH, help="Where to; by default PUBLISHER-NAME-VERSION.unit.")
def pack(session: Session, folder: Path, output: Path | None) -> None:
    """Write a unit as one file.

    The same folder gives the same bytes and the same digest on any machine.
    """
    with session.progress() as progress:
        place, bundle = host.pack_unit(folder, output, progress)
    session.answer(
        {"file": str(place), "digest": bundle.digest, "bytes": place.stat().st_size},
        Text.assemble(("packed ", "green"), plain(str(place)), f"  {short_digest(bundle.digest)}"),
    )
    if not bundle.referrers:
        session.hint(f"Next: remit unit sign {shlex.quote(str(place))}")


@verb(
    "publish",
    example=(
        "remit unit publish oci://registry.example.com ./redact --domain ./domain --identity ann@example.com\n"
        "remit unit publish oci://registry.example.com redact.unit"
    ),
)
@click.argument("target", metavar="oci://HOST[/PREFIX]")
@click.argument("reference", metavar="[DIR|FILE.unit]", default=".")
@sign_options
def publish(session: Session, target: str, reference: str, **how: Any) -> None:
    """Send a unit to a registry.

    It becomes visible under its version in one step, or not at all. A published version never changes: the same
    contents again do nothing, others are refused. Inside a home, its policy must allow it (unit:publish). With
    --domain, --key or --instance it is signed first; a .unit file takes its signatures along.
    """
    with session.governing() as home, session.progress() as progress:
        done = host.publish_unit(target, reference, progress, home=home, sign_as=host.SignAs(**how))
    word = ("published ", "green") if done.fresh else ("there already: ", "yellow")
    session.answer(
        done, Text.assemble(word, (plain(f"{done.id}@{done.version}"), "bold"), f"  {short_digest(done.digest)}")
    )
    if not done.signed:
        session.show(Text("unsigned: no home will install it from there", style="yellow"))
    session.hint(f"Next: remit unit install {shlex.quote(done.reference)}")


@verb("search", example="remit unit search oci://registry.example.com redact")
@click.argument("target", metavar="oci://HOST[/PREFIX]")
@click.argument("words", metavar="[WORD…]", nargs=-1)
def search(session: Session, target: str, words: tuple[str, ...]) -> None:
    """Search a registry for units.

    Shows units whose name or title holds every WORD.
    """
    found = host.search_registry(target, " ".join(words))
    session.answer({"units": found}, offer_table(found) if found else Text("No unit matches."))


@verb("info", example="remit unit info oci://registry.example.com acme/redact")
@click.argument("target", metavar="oci://HOST[/PREFIX]")
@click.argument("unit", metavar="ID")
def info(session: Session, target: str, unit: str) -> None:
    """Show what a registry has of one unit.

    That is every version, who published it, and what was withdrawn.
    """
    offer = next((found for found in host.search_registry(target, unit) if found.id == unit), None)
    if offer is None:
        raise ReferenceUnknown(f"{target} has no {unit[:200]}")
    session.answer(offer, *offer_details(offer))
