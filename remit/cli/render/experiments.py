"""How a trial does: its arms beside each other, and what a promotion still lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, heading, table
from remit.cli.render.plan import gate_words
from remit.units import Terms

__all__ = ["trial_lines"]


def trial_lines(one: Mapping[str, Any]) -> list[RenderableType]:
    """One trial, as the read model ``experiments`` has it."""
    shown = table("arm", "version", "calls", "failed", "denied", "half within", "95% within", "own tests")
    for name in ("base", "trial"):
        arm = one[name]
        denied = arm["denied"] + sum(arm["denials"].values())
        counts = (arm["calls"], arm["failed"], denied)
        shown.add_row(
            Text(name, style="bold"),
            cell(arm["version"]),
            *(Text(str(count), justify="right") for count in counts),
            _ms(arm["p50_us"]),
            _ms(arm["p95_us"]),
            _goldens(arm["goldens"]),
        )
    terms = msgspec.convert(one["terms"], Terms)
    view: list[RenderableType] = [heading("\nOn trial"), cell(f"{terms.words}; {gate_words(terms)}", "dim"), shown]
    if one["missing"]:
        return [*view, *(Text.assemble(("not yet: ", "yellow"), cell(words)) for words in one["missing"])]
    return [*view, Text("ready to be promoted", style="green")]


def _ms(microseconds: int | None) -> Text:
    return Text("" if microseconds is None else f"{microseconds / 1_000:.1f} ms", justify="right")


def _goldens(goldens: Mapping[str, Any]) -> Text:
    if not goldens["tests"]:
        return Text("none", style="dim")
    if goldens["failed"] is None:
        return Text("not run", style="dim")
    passed = goldens["tests"] - goldens["failed"]
    return Text(f"{passed} of {goldens['tests']} pass", style="red" if goldens["failed"] else "green")
