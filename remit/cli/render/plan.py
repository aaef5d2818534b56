"""A plan as operators read it before they bet their host on it: what widens first, the next command last."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.diff import change_lines
from remit.cli.render.findings import plan_findings
from remit.cli.render.layout import cell, columns, heading, unsigned
from remit.cli.text import json_text, one_line, short_digest
from remit.units import Plan
from remit.units.generations.terms import Terms, percent
from remit.units.generations.wanted import Edits
from remit.units.planning.plan import CapabilityAnswer, Status, TrialChange, UnitChange

__all__ = ["command_words", "gate_words", "plan_view"]

_SIGNS: Mapping[str, tuple[str, str]] = {
    "add": ("+", "green"),
    "upgrade": ("↑", "green"),
    "downgrade": ("↓", "yellow"),
    "remove": ("-", "red"),
    "configure": ("~", "cyan"),
    "rebind": ("~", "cyan"),
    "reorder": ("=", "cyan"),
}
_TRIALS: Mapping[str, tuple[str, str]] = {
    "start": ("+ try", "green"),
    "adjust": ("~ other terms", "cyan"),
    "promote": ("↑ promote", "green"),
    "end": ("- end", "yellow"),
}
_ANSWERS: Mapping[Status, tuple[str, str]] = {
    "granted": ("granted", "green"),
    "kept": ("kept", ""),
    "consent": ("consent needed", "bold yellow"),
    "denied": ("denied", "bold red"),
    "revoked": ("revoked", "bold red"),
}
_ORDER: Sequence[Status] = ("denied", "revoked", "consent", "granted", "kept")


def plan_view(plan: Plan, *, applying: bool = False) -> list[RenderableType]:
    """The whole plan.

    :param applying: whether an apply follows at once, which then says itself what to do next
    """
    if not plan.changed and plan.blocking:
        return [*_findings(plan), Text(), _next(plan)]
    if not plan.changed:
        return [Text(f"Nothing to do: generation {plan.serial} is what is wanted.", style="bold"), *_findings(plan)]
    view: list[RenderableType] = [heading(f"Plan: generation {plan.serial} → {plan.candidate.number}")]
    view += _drift(plan) + _widening(plan) + _units(plan.units) + _capabilities(plan.capabilities) + _documents(plan)
    view += _trials(plan) + _state(plan) + _findings(plan)
    if plan.blocking or not applying:
        view += [Text(), _next(plan)]
    else:
        view.append(Text())
    return view


def _drift(plan: Plan) -> list[RenderableType]:
    if not plan.drift:
        return []
    grid = columns("fit", "wrap", "wrap")
    for drift in plan.drift:
        grid.add_row("", Text(drift.kind, style="cyan"), cell(drift.name), cell(drift.detail))
    fate = "this is undone too" if plan.edits.revert else "this comes too"
    return [heading(f"\nDrift — remit.toml was edited since generation {plan.serial}; {fate}"), grid]


def _widening(plan: Plan) -> list[RenderableType]:
    if not plan.widening:
        return [Text("\nNothing widens: no unit may do what it could not do before.", style="green")]
    grid = columns("fit", "wrap", "wrap")
    for item in plan.widening:
        grid.add_row("", Text("!", style="bold yellow"), cell(item.unit, "bold"), cell(item.detail))
    return [heading("\nWidens — what units may do that they could not before", "bold yellow"), grid]


def _units(changes: Sequence[UnitChange]) -> list[RenderableType]:
    if not changes:
        return []
    grid = columns("fit", "wrap", "wrap", "fit", "fit")
    for change in changes:
        sign, style = _SIGNS[change.change]
        versions = [version for version in (change.before, change.after) if version]
        shown = " → ".join(versions) if change.change in {"upgrade", "downgrade"} else versions[-1]
        mark = unsigned(change.admission)
        grid.add_row(
            "",
            Text(f"{sign} {change.change}", style=style),
            cell(change.unit, "bold"),
            cell(shown),
            Text(short_digest(change.digest), style="dim"),
            mark,
        )
        if change.detail:
            grid.add_row("", "", cell(change.detail, "dim"))
    return [heading("\nUnits"), grid]


def _capabilities(answers: Sequence[CapabilityAnswer]) -> list[RenderableType]:
    if not answers:
        return []
    grid = columns("fit", "wrap", "wrap")
    # What needs a person comes first; what stays as it was comes last, on one line.
    for answer in sorted(answers, key=lambda answer: _ORDER.index(answer.status)):
        label, style = _ANSWERS[answer.status]
        what = f"{answer.action} on {answer.resource}" + (" (optional)" if answer.optional else "")
        policies = ", ".join(answer.decision.policies) or "no policy permits it"
        if answer.status == "kept":
            grid.add_row("", Text(label, style=style), cell(answer.unit), cell(f"{what} — {policies}"))
            continue
        grid.add_row("", Text(label, style=style), cell(answer.unit, "bold"), cell(what))
        grid.add_row("", "", Text("policy", style="dim"), cell(f"{policies}: {answer.decision.reason}", "dim"))
        if answer.reason:
            grid.add_row("", "", Text("its words", style="dim"), cell(f"“{answer.reason}”", "dim"))
    return [heading("\nCapabilities — what units ask for, and what policy says"), grid]


def _documents(plan: Plan) -> list[RenderableType]:
    if not plan.documents:
        return []
    view: list[RenderableType] = [heading("\nDocuments")]
    for diff in plan.documents:
        view += [cell(f"  {diff.document}", "bold"), change_lines(diff.changes)]
    return view


def _trials(plan: Plan) -> list[RenderableType]:
    if not plan.trials:
        return []
    grid = columns("fit", "wrap", "wrap")
    for change in plan.trials:
        words, style = _TRIALS[change.change]
        grid.add_row("", Text(words, style=style), cell(change.unit, "bold"), cell(_versions(change)))
        detail = f"{change.terms.words}; {gate_words(change.terms)}" if not change.state else _fate(change)
        grid.add_row("", "", "", cell(detail, "dim"))
    return [heading("\nTrials"), grid]


def _versions(change: TrialChange) -> str:
    if change.change == "promote":
        return f"{change.base_version} → {change.version}"
    return f"{change.version} beside {change.base_version}"


def _fate(change: TrialChange) -> str:
    """What becomes of a trial's state."""
    kept = "what it wrote becomes the unit's state" if change.state == "kept" else "what it wrote is dropped"
    return kept + (f"; overridden: {change.why}" if change.why else "")


def gate_words(terms: Terms) -> str:
    """What a trial must do to stay, and to be promoted."""
    return (
        f"ends beyond {percent(terms.errors)} errors; promoted after {terms.calls} calls of each arm, at most "
        f"{percent(terms.slower)} slower"
    )


def _state(plan: Plan) -> list[RenderableType]:
    if not plan.state:
        return []
    grid = columns("wrap", "wrap")
    for back in plan.state:
        grid.add_row("", cell(back.unit, "bold"), cell(f"as it was at the end of generation {back.generation}"))
    return [heading("\nState — what units wrote since is replaced by new versions"), grid]


def _findings(plan: Plan) -> list[RenderableType]:
    return [heading("\nFindings"), plan_findings(plan.findings)] if plan.findings else []


def _next(plan: Plan) -> Text:
    if plan.blocking:
        count = len(plan.blocking)
        return Text(f"Blocked by {count} finding{'s' if count > 1 else ''}: resolve them and plan again.", "bold red")
    consent = "This needs your consent: the command asks for it, --yes gives it.\n" if plan.needs_consent else ""
    return Text.assemble(consent, ("Next: ", "bold"), one_line(shlex.join(command_words(plan.edits))))


def command_words(edits: Edits) -> list[str]:
    """The command that applies these edits."""
    if edits.revert:
        state = ["--with-state"] if edits.with_state else []
        return ["remit", "unit", "revert", *([] if edits.revert == "last" else [edits.revert]), *state]
    for unit, version in edits.pin.items():
        which = [f"{unit}@{version}".removesuffix("@=")] if version else [unit, "--release"]
        return ["remit", "unit", "pin", *which]
    for unit in edits.promote:
        kept = ["--keep-state"] if edits.keep_state else []
        return ["remit", "unit", "promote", unit, *kept, *(["--override", edits.override] if edits.override else [])]
    if edits.trial:
        return ["remit", "unit", "apply", *edits.trial, "--trial", *_options(edits.terms)]
    words = ["remit", "unit", "apply", *edits.add, *(f"-{unit}" for unit in edits.remove)]
    for slot, unit in edits.bind.items():
        words += ["--bind", f"{slot}={unit}"]
    for key, value in edits.set.items():
        words += ["--set", f"{key}={json_text(value, indent=None)}"]
    return words


def _options(terms: Terms) -> list[str]:
    """The options that say these terms."""
    plain, words = Terms(), []
    for name, option in (("share", "--share"), ("errors", "--max-errors"), ("slower", "--slower")):
        if getattr(terms, name) != getattr(plain, name):
            words += [option, percent(getattr(terms, name))]
    for name, option in (
        ("principal", "--principal"), ("namespace", "--namespace"), ("episode", "--episode"), ("calls", "--calls"),
    ):  # fmt: skip
        if getattr(terms, name) != getattr(plain, name):
            words += [option, str(getattr(terms, name))]
    return words
