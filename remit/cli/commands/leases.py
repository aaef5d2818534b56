"""Grants one by one: look, ask, answer, renew, revoke, and a publisher's quarantine."""

from __future__ import annotations

import click
from rich.text import Text

from remit.cli.inputs import DURATION
from remit.cli.render.authority import explanation, facts, left, question
from remit.cli.session import Session, verb
from remit.cli.text import one_line
from remit.errors import UsageError

__all__ = ["approve", "deny", "renew", "request", "revoke", "show", "why"]

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")


@verb("show", example="remit lease show g49c94f88253e")
@click.argument("grant", metavar="GRANT")
def show(session: Session, grant: str) -> None:
    """Show everything about one grant.

    Its envelope, lease, budget, mode, and the policies in reach.
    """
    with session.connect() as kernel:
        found = kernel.lease(grant)
    given = found["grant"]
    about = {
        "unit": f"{given['unit']['id']}@{given['unit']['version']}",
        "may": f"{given['capability']['action']} on {given['capability']['resource']}",
        "state": found["state"],
        **{f"{noun} left": amount or "unbounded" for noun, amount in left(found).items()},
        "mode": found["mode"],
        "consent of": given.get("consent") or "nobody",
        "policies in reach": ", ".join(found["policies"]),
    }
    session.answer(found, Text(one_line(grant), style="bold"), facts(about))


@verb("why", example="remit lease why acme/sneaky net:http https://example.com")
@click.argument("unit", metavar="ID")
@click.argument("action")
@click.argument("resource")
@click.option("--method", default="", help="What would be done there, such as GET.")
def why(session: Session, unit: str, action: str, resource: str, method: str) -> None:
    """Show why a unit may or may not do something.

    And the shortest change that would allow it.
    """
    with session.connect() as kernel:
        said = kernel.why(unit, action, resource, method=method)
    session.answer(said, *explanation(said))


@verb("request", example="remit lease request acme/fetch net:http https://example.com")
@click.argument("unit", metavar="ID")
@click.argument("action")
@click.argument("resource")
@click.option("--from", "parent", default="", metavar="GRANT", help="Delegate a part of this grant of another unit.")
@click.option("--calls", type=click.IntRange(min=0), help="Delegate at most so many calls in the grant's window.")
@click.option("--bytes", "nbytes", type=click.IntRange(min=0), help="Delegate at most so many bytes.")
@click.option("--host-time", "host_ms", type=DURATION, help="Delegate at most so much time of host calls, as '5s'.")
@click.option("--fuel", type=click.IntRange(min=0), help="Delegate at most so much fuel of called actions.")
def request(
    session: Session,
    unit: str,
    action: str,
    resource: str,
    parent: str,
    calls: int | None,
    nbytes: int | None,
    host_ms: int | None,
    fuel: int | None,
) -> None:
    """Ask for what a unit's grant waits for.

    The question waits for 'remit lease approve' or 'deny', as it would when the unit first needs it. With --from, lets
    the unit use a part of another unit's grant instead: never more than that grant, and no longer than it stands.
    """
    if not parent and any(bound is not None for bound in (calls, nbytes, host_ms, fuel)):
        raise UsageError("bounds are of a part that is delegated", remedy="say of which grant, with --from GRANT")
    with session.connect() as kernel:
        if parent:
            if kernel.lease(parent)["grant"]["capability"]["action"] != action:
                raise UsageError(f"{parent} is no grant of {action}", remedy="see 'remit lease list'")
            host_us = None if host_ms is None else host_ms * 1_000
            grant = kernel.delegate(parent, unit, resource, calls=calls, nbytes=nbytes, host_us=host_us, fuel=fuel)
            session.answer(grant, Text(one_line(f"delegated {grant['id']}: {unit}, {action} on {resource}")))
            return
        asked = kernel.request(unit, action, resource)
    if asked["state"] == "decided":
        outcome = asked["decision"]["outcome"]
        session.answer(asked, Text(f"nobody need be asked: the answer is {outcome}"))
        return
    session.answer(asked, question(asked))
    if asked["state"] == "pending":
        session.hint(f"Next: remit lease approve {asked['id']}, or deny")


@verb("approve", example="remit lease approve c1f0d3a9b2c4e5f6a")
@click.argument("consent", metavar="QUESTION")
@_REASON
def approve(session: Session, consent: str, reason: str) -> None:
    """Say yes to a question.

    The answer holds for this unit digest, action, resource and envelope, and until a policy in reach changes.
    """
    _answer(session, consent, reason, given=True)


@verb("deny", example="remit lease deny c1f0d3a9b2c4e5f6a --reason 'not this host'")
@click.argument("consent", metavar="QUESTION")
@_REASON
def deny(session: Session, consent: str, reason: str) -> None:
    """Say no to a question, for good.

    Nobody is asked the same again; approving it later is still possible.
    """
    _answer(session, consent, reason, given=False)


def _answer(session: Session, consent: str, reason: str, *, given: bool) -> None:
    with session.connect() as kernel:
        answered = kernel.answer(consent, given=given, reason=reason)
    session.answer(answered, question(answered))


@verb("renew", example="remit lease renew acme/redact\nremit lease renew --publisher acme")
@click.argument("target", metavar="[GRANT|ID]", default="")
@click.option("--publisher", default="", help="End this publisher's quarantine.")
@_REASON
def renew(session: Session, target: str, publisher: str, reason: str) -> None:
    """Have leases decided again; end a quarantine.

    Leases are decided again at their next use, before they run out.
    """
    if bool(target) == bool(publisher):
        raise UsageError("name a grant or a unit, or a publisher", remedy="see 'remit lease renew --help'")
    with session.connect() as kernel:
        if publisher:
            kernel.quarantine(publisher, lift=True, reason=reason)
            session.answer({"released": publisher}, Text(one_line(f"released {publisher}")))
            return
        count = kernel.renew(unit=target) if "/" in target else kernel.renew(target)
    session.answer({"renewed": count}, Text(f"{count} grant(s) will be decided again at their next use"))


@verb(
    "revoke",
    example="remit lease revoke acme/redact --reason 'looking into it'\n"
    "remit lease revoke --resource https://example.com\n"
    "remit lease revoke --publisher acme --quarantine",
)
@click.argument("target", metavar="[GRANT|ID]", default="")
@click.option("--publisher", default="", help="Every grant of this publisher's units.")
@click.option("--resource", default="", metavar="PREFIX", help="Every grant whose resource begins so.")
@click.option("--quarantine", is_flag=True, help="Refuse everything to the publisher's units, now and later.")
@_REASON
def revoke(session: Session, target: str, publisher: str, resource: str, quarantine: bool, reason: str) -> None:
    """Revoke grants; put a publisher in quarantine.

    It takes effect at the unit's next host call. A quarantine revokes nothing and lasts until 'remit lease renew
    --publisher'.
    """
    with session.connect() as kernel:
        if quarantine:
            if not publisher or target or resource:
                raise UsageError("a quarantine is of a publisher", remedy="name it with --publisher alone")
            kernel.quarantine(publisher, reason=reason)
            session.answer({"quarantined": publisher}, Text(one_line(f"{publisher} is in quarantine")))
            return
        unit, grant = (target, "") if "/" in target else ("", target)
        revoked = kernel.revoke(grant, unit=unit, publisher=publisher, prefix=resource, reason=reason)
    lines = [
        Text(one_line(f"revoked {lease.id}: {lease.unit}, {lease.action} on {lease.resource}")) for lease in revoked
    ]
    session.answer({"revoked": revoked}, *lines)
