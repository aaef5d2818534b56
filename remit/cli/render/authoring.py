"""What a build made, and how a unit's own tests went."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, columns
from remit.cli.text import one_line, plain

__all__ = ["built_view", "mend_text", "tried_view"]

_LONGEST = 300


def built_view(built: Any) -> Iterator[RenderableType]:
    """Path, size and digest, and a line for each capability that the manifest asks for."""
    code = f", {built.code:,} of machine code" if built.code else ""
    yield Text.assemble(("built", "green"), f" {plain(built.artifact)} ({built.bytes:,} bytes{code})")
    yield Text(built.digest, style="dim", no_wrap=True)
    grid = columns("fit", "wrap", "wrap")
    for capability in built.capabilities:
        grid.add_row(cell(capability.action), cell(capability.resource), cell(capability.reason, "dim"))
    if built.capabilities:
        yield grid


def mend_text(mend: Any) -> Text:
    """A change that was made to a manifest."""
    was = one_line(mend.was, _LONGEST) or "missing"
    return Text.assemble(
        ("fixed ", "green"), (one_line(mend.path), "bold"), f": {was} → {one_line(mend.now, _LONGEST)}"
    )


def tried_view(tried: Any) -> Iterator[RenderableType]:
    """A line for each test of the manifest, what differs where one failed, and what pytest said."""
    for golden in tried.goldens:
        mark = ("passed ", "green") if golden.passed else ("failed ", "red")
        yield Text.assemble(mark, plain(golden.action), (f" {_short(golden.input)}", "dim"))
        if not golden.passed:
            yield Text(f"  expected {_short(golden.expected)}")
            yield Text(f"  got      {one_line(golden.error, _LONGEST) or _short(golden.got)}")
    if tried.output:
        yield Text(plain(tried.output.rstrip()))
    yield Text("passed", style="bold green") if tried.passed else Text("failed", style="bold red")


def _short(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), _LONGEST)
