"""Who may do what: policies, grants and leases."""

from __future__ import annotations

from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.authority import lease_table, question
from remit.cli.render.findings import policy_findings
from remit.cli.session import Session, verb
from remit.errors import EXIT_ERROR

__all__ = ["check_policy", "list_leases"]


@verb("check", example="remit policy check --home ./home")
def check_policy(session: Session) -> None:
    """Check the policies and show every finding.

    Exits with 1 if one of them would keep the home from starting. Works while a kernel runs, and where none can.
    """
    findings = host.check_policies(session.home)
    errors = [finding for finding in findings if finding.severity == "error"]
    session.answer({"ok": not errors, "findings": findings}, *policy_findings(findings))
    if errors:
        raise Exit(EXIT_ERROR)


@verb("list", example="remit lease list")
def list_leases(session: Session) -> None:
    """List the grants with their leases and budgets."""
    with session.connect() as kernel:
        leases, consents = kernel.leases(), kernel.consents()
    pending = [one for one in consents if one["state"] == "pending"]
    empty = Text("No grant stands: no active unit may do anything but compute.")
    questions = [Text("waiting for an answer", style="bold"), *map(question, pending)] if pending else []
    session.answer({"leases": leases, "pending": pending}, lease_table(leases) if leases else empty, *questions)
