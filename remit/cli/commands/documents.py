"""Documents: what they are, what changed in them, and which unit set what."""

from __future__ import annotations

import click
import msgspec

from remit.cli.render.documents import blame_table
from remit.cli.render.units import difference
from remit.cli.session import Session, verb
from remit.cli.text import one_line
from remit.errors import DocumentUnknown, UsageError

__all__ = ["blame", "diff", "show"]


@verb("show", example="remit document show assistant\nremit document show assistant --generation 1")
@click.argument("name", metavar="NAME")
@click.option("--generation", type=click.IntRange(min=0), metavar="N", help="As it was in this generation.")
def show(session: Session, name: str, generation: int | None) -> None:
    """Show an effective document.

    That is its base and the patches of the active units, in order.
    """
    with session.connect() as kernel:
        found = kernel.document(name, generation=generation)
    data = {"name": one_line(name), "generation": generation, "document": msgspec.to_builtins(found)}
    session.document(data if session.as_json else found)


@verb("diff", example="remit document diff assistant\nremit document diff assistant 1 3")
@click.argument("name", metavar="NAME")
@click.argument("before", metavar="[BEFORE]", type=click.IntRange(min=0), required=False)
@click.argument("after", metavar="[AFTER]", type=click.IntRange(min=0), required=False)
def diff(session: Session, name: str, before: int | None, after: int | None) -> None:
    """Show what differs in a document between two generations.

    AFTER is the active generation if it is left out, BEFORE the one before that.
    """
    with session.connect() as kernel:
        last = kernel.home().generation if after is None else after
        if before is None and last == 0:
            raise UsageError("there is only one generation yet", remedy="run 'remit unit history'")
        first = last - 1 if before is None else before
        if name not in kernel.documents():
            raise DocumentUnknown(f"there is no document {name[:200]!r}")
        found = kernel.diff(first, last)
    changes = found["documents"].get(name, [])
    data = {"before": first, "after": last, "document": one_line(name), "changes": changes}
    shown = {**found, "units": {"before": [], "after": []}, "documents": {name: changes} if changes else {}}
    session.answer(data, *difference(shown))


@verb("blame", example="remit document blame assistant")
@click.argument("name", metavar="NAME")
@click.option("--generation", type=click.IntRange(min=0), metavar="N", help="As it was in this generation.")
def blame(session: Session, name: str, generation: int | None) -> None:
    """Show which unit set each value, and since when.

    A value without a unit is the document's base, as remit.toml says it.
    """
    with session.connect() as kernel:
        found = kernel.blame(name, generation=generation)
    session.answer({"document": one_line(name), "values": found}, blame_table(found))
