"""Looking after what can be made again: the cache of compiled code."""

from __future__ import annotations

from rich.text import Text

from remit.cli.render.cache import cache_table
from remit.cli.session import Session, verb

__all__ = ["clear_cache", "list_cache"]


@verb("list", example="remit cache list")
def list_cache(session: Session) -> None:
    """List the compiled code."""
    with session.connect() as kernel:
        entries = kernel.cache()
    session.answer({"entries": entries}, cache_table(entries) if entries else Text("The cache is empty."))


@verb("clear", example="remit cache clear")
def clear_cache(session: Session) -> None:
    """Remove the compiled code; it is made again when needed."""
    with session.connect() as kernel:
        removed = len(kernel.cache())
        kernel.clear_cache()
    session.answer({"removed": removed}, Text(f"removed {removed} compilation{'' if removed == 1 else 's'}"))
