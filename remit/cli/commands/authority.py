"""Who may do what: policies, grants and leases."""

from __future__ import annotations

import click
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.authority import lease_table
from remit.cli.render.findings import policy_findings
from remit.cli.session import Session, verb
from remit.cli.text import one_line
from remit.errors import EXIT_ERROR

__all__ = ["check_policy", "list_leases", "revoke"]


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
        leases = kernel.leases()
    empty = Text("No grant stands: no active unit may do anything but compute.")
    session.answer({"leases": leases}, lease_table(leases) if leases else empty)


@verb("revoke", example="remit lease revoke acme/redact --reason 'looking into it'\nremit lease revoke g49c94f88253e")
@click.argument("target", metavar="GRANT|ID")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
def revoke(session: Session, target: str, reason: str) -> None:
    """Revoke a grant, or every grant of a unit.

    It takes effect at the unit's next host call.
    """
    with session.connect() as kernel:
        revoked = kernel.revoke(unit=target, reason=reason) if "/" in target else kernel.revoke(target, reason=reason)
    lines = [
        Text(one_line(f"revoked {lease.id}: {lease.unit}, {lease.action} on {lease.resource}")) for lease in revoked
    ]
    session.answer({"revoked": revoked}, *lines)
