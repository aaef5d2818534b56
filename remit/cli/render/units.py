"""Installed units, one unit's facts, generations, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from remit.cli.render.diff import change_lines
from remit.cli.render.experiments import trial_lines
from remit.cli.render.layout import cell, columns, heading, table, unsigned
from remit.cli.text import json_text, one_line, short_digest
from remit.host.facade.views import Entry
from remit.journal.event import timestamp
from remit.units import SlotView, Terms
from remit.units.generations.documents import Change

__all__ = ["difference", "generation_details", "generation_table", "slot_lines", "unit_details", "unit_table"]

_MIB = 1 << 20


def unit_table(entries: Sequence[Entry]) -> Table:
    """Every installed version of every unit."""
    shown = table("unit", "version", "kind", "digest", "signature", "state", "title")
    for entry in entries:
        ref = entry.ref
        state = Text("active", style="green") if entry.active else Text("installed", style="dim")
        state = Text("on trial", style="cyan") if entry.trial else state
        digest = Text(short_digest(ref.digest)[:8], style="dim")
        shown.add_row(
            cell(ref.id, "bold"), cell(ref.version), ref.kind, digest, unsigned(ref.admission), state, cell(entry.title)
        )
    for column in shown.columns[:-1]:
        column.no_wrap = column.header != "unit"
    return shown


def slot_lines(slots: Sequence[SlotView]) -> list[RenderableType]:
    """The declared slots with who fills them, or who could."""
    if not slots:
        return []
    grid = columns("fit", "fit", "wrap")
    for slot in slots:
        if slot.units:
            who = cell(", ".join(slot.units), "green")
        else:
            could = f"; {', '.join(slot.suggestions)} could fill it" if slot.suggestions else ""
            who = cell(f"empty{could}", "yellow")
        grid.add_row("", cell(slot.name, "bold"), Text("many" if slot.many else "one", style="dim"), who)
    return [heading("\nSlots"), grid]


def unit_details(facts: Mapping[str, Any]) -> list[RenderableType]:
    """Everything that is known of one unit, as ``remit unit show`` prints it."""
    grid = columns("fit", "wrap")
    for label, text in [*_state(facts), *_powers(facts)]:
        grid.add_row("", Text(label, style="dim"), cell(text))
    versions = columns("fit", "fit", "wrap", "wrap")
    for unit in facts["installed"]:
        ref = unit["ref"]
        signed = cell(f"signed by {unit['signer']}", "green") if unit["signer"] else unsigned(ref["admission"])
        versions.add_row("", cell(ref["version"]), short_digest(ref["digest"]), signed, cell(unit["origin"]))
    view: list[RenderableType] = [heading(one_line(facts["id"])), grid, heading("\nInstalled"), versions]
    return [*view, *trial_lines(facts["trial"])] if facts["trial"] else view


def _state(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    manifest, active = facts["manifest"], facts["active"]
    yield "title", manifest["title"]
    yield "kind", manifest["kind"]
    if active is None:
        yield "active", "no"
    else:
        yield "active", f"{active['ref']['version']} (wanted: {active['range']})"
        if active["parameters"]:
            yield "parameters", json_text(active["parameters"], indent=None)
        if active["slots"]:
            yield "slots", ", ".join(active["slots"])
    runtime = manifest.get("runtime")
    if runtime:
        fuel = f", fuel {runtime['fuel']:,}" if runtime["fuel"] else ""
        yield "limits", f"memory {runtime['memory'] / _MIB:g} MiB, deadline {runtime['deadline_ms']} ms{fuel}"


def _powers(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    manifest = facts["manifest"]
    for action in manifest["actions"]:
        yield "action", f"{facts['id']}:{action['name']}"
    for capability in manifest["capabilities"]:
        optional = " (optional)" if capability.get("optional") else ""
        yield "asks for", f"{capability['action']} on {capability['resource']}{optional}"
    for grant in facts["grants"]:
        by = ", ".join(grant["policies"])
        yield "holds", f"{grant['action']} on {grant['resource']}: {grant['state']}, by {by} ({grant['id']})"
    for patch in manifest["patches"]:
        yield "patches", f"{patch['target']} ({patch['op']})"


def generation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Generations, oldest first."""
    shown = table("gen", "made", "by", "why", "units")
    for row in rows:
        made = timestamp(row["at_ms"])[:16].replace("T", " ") if row["at_ms"] else ""
        number = Text(f"{row['number']}{'*' if row['active'] else ''}", style="bold green" if row["active"] else "")
        units = Text(overflow="fold")
        for index, unit in enumerate(row["units"]):
            units.append("\n" if index else "").append(one_line(unit))
            if unit.partition("@")[0] in row["unsigned"]:
                units.append(" unsigned", style="yellow")
        for trial in row["trials"]:
            units.append("\n").append(one_line(trial)).append(" on trial", style="cyan")
        shown.add_row(number, made, cell(row["author"]), cell(row["message"]), units)
    shown.columns[0].no_wrap = shown.columns[1].no_wrap = True
    shown.caption = "* is active"
    shown.caption_justify = "left"
    return shown


def generation_details(found: Mapping[str, Any]) -> list[RenderableType]:
    """One generation whole."""
    facts = columns("fit", "wrap")
    made = timestamp(found["at_ms"])[:19].replace("T", " ") if found["at_ms"] else ""
    rows = {"made": made, "by": found["author"], "why": found["message"], "digest": found["digest"]}
    rows |= {"parent": found["parent"], "policy": found["policy"]}
    for label, text in rows.items():
        if text:
            facts.add_row("", Text(label, style="dim"), cell(text))
    units = columns("fit", "fit", "fit", "wrap")
    for unit in found["units"]:
        ref, pinned = unit["ref"], "pinned" if unit["pin"] else ""
        details = [pinned, f"fills {', '.join(unit['slots'])}" if unit["slots"] else ""]
        details += [json_text(unit["parameters"], indent=None)] if unit["parameters"] else []
        name = Text(f"{one_line(ref['id'])}@{one_line(ref['version'])}", style="bold")
        units.add_row(
            "", name, short_digest(ref["digest"]), unsigned(ref["admission"]), cell("; ".join(filter(None, details)))
        )
    view: list[RenderableType] = [heading(f"Generation {found['number']}"), facts]
    if found["units"]:
        view += [heading("\nUnits, in order"), units]
    if found["grants"]:
        grants = columns("fit", "wrap", "wrap")
        for grant in found["grants"]:
            what = f"{grant['capability']['action']} on {grant['capability']['resource']}"
            by = f"consent of {grant['consent']}" if grant.get("consent") else ", ".join(grant.get("policies", ()))
            grants.add_row("", grant["id"], cell(f"{grant['unit']['id']}: {what}"), cell(by, "dim"))
        view += [heading("\nGrants"), grants]
    if found.get("trials"):
        tried = columns("fit", "wrap")
        for trial in found["trials"]:
            ref, terms = trial["unit"]["ref"], msgspec.convert(trial["terms"], Terms)
            tried.add_row("", cell(f"{ref['id']}@{ref['version']}", "bold"), cell(terms.words))
        view += [heading("\nOn trial"), tried]
    if found["documents"]:
        view.append(Text(f"\nDocuments: {one_line(', '.join(sorted(found['documents'])))}"))
    return view


def difference(found: Mapping[str, Any]) -> list[RenderableType]:
    """What differs between two generations."""
    view: list[RenderableType] = [heading(f"Generation {found['before']} → {found['after']}")]
    before, after = found["units"]["before"], found["units"]["after"]
    lines = [Text(f"  - {one_line(unit)}", style="red") for unit in before if unit not in after]
    lines += [Text(f"  + {one_line(unit)}", style="green") for unit in after if unit not in before]
    lines += [
        Text(f"  ~ {one_line(change['unit'])}: {one_line(change['detail'])}", style="cyan")
        for change in found["units"].get("changes", ())
        if change["detail"] and change["change"] != "add"
    ]
    if lines:
        view += [heading("\nUnits"), *lines]
    elif before != after:
        view += [heading("\nUnits"), Text(f"  = other order: {one_line(', '.join(after))}", style="cyan")]
    for name, changes in found["documents"].items():
        view += [heading(f"\nDocument {one_line(name)}"), change_lines(msgspec.convert(changes, list[Change]))]
    if len(view) == 1:
        view.append(Text("no difference"))
    return view
