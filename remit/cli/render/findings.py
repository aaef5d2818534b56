"""Findings and faults: how bad, where, what, and the one thing that would help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, columns
from remit.cli.text import one_line
from remit.schemas import Fault
from remit.units import Finding

if TYPE_CHECKING:
    from remit.policy.sets.findings import Finding as PolicyFinding

__all__ = ["fault_list", "plan_findings", "policy_findings"]

_STYLES = {"blocking": "bold red", "error": "bold red", "warning": "yellow"}


def plan_findings(findings: Sequence[Finding]) -> Table:
    """The findings of a plan."""
    grid = columns("fit", "wrap")
    for finding in findings:
        about = f"{finding.unit}: {finding.message}" if finding.unit else finding.message
        text = Text.assemble(one_line(about), ("  ", ""), (f"[{one_line(finding.id)}]", "dim"))
        grid.add_row("", Text(finding.severity, style=_STYLES[finding.severity]), text)
        if finding.remedy:
            grid.add_row("", "", cell(f"→ {finding.remedy}", "dim"))
    return grid


def fault_list(where: str, faults: Sequence[Fault]) -> list[RenderableType]:
    """The faults of a unit's folder, each with its path."""
    grid = columns("wrap", "wrap")
    for fault in faults:
        grid.add_row("", cell(fault.path or "unit.toml", "bold"), cell(fault.message))
    count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
    return [Text.assemble(one_line(where), ": ", (count, "bold red")), grid]


def policy_findings(findings: Sequence[PolicyFinding]) -> list[RenderableType]:
    """What is wrong with policies, or one line that says that nothing is."""
    if not findings:
        return [Text("the policies are in order", style="bold green")]
    grid = columns("fit", "wrap", "wrap")
    for finding in findings:
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        about = f"{finding.policy}: {finding.message}" if finding.policy else finding.message
        grid.add_row("", Text(finding.severity, style=_STYLES[finding.severity]), cell(place, "bold"), cell(about))
    return [grid]
