"""Whom a home trusts, and what a trust domain is, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import table
from remit.cli.text import one_line, plain, short_digest
from remit.host import DomainView, TrustView

__all__ = ["domain_lines", "trust_lines"]


def trust_lines(trusted: TrustView) -> Iterator[RenderableType]:
    """A home's roots, and who signs for which publisher."""
    if not trusted.roots and not trusted.keys:
        yield Text("Nobody is trusted. 'remit trust import' adds a root or a key.")
    for name, digest in trusted.roots.items():
        yield Text.assemble("root  ", (plain(name), "bold"), f"  {short_digest(digest)}")
    if trusted.signers:
        shown = table("publisher", "signer", "since")
        words = {"named": "named", "first": "first admission", "retired": "retired"}
        for one in trusted.signers:
            style = "dim strike" if one.pin == "retired" else ""
            cells = (one.publisher, one.signer.text, words.get(one.pin, one.pin))
            shown.add_row(*(Text(one_line(cell), style=style) for cell in cells))
        yield shown


def domain_lines(domain: DomainView) -> Iterator[RenderableType]:
    """A trust domain."""
    yield Text.assemble("trust domain ", (plain(domain.name), "bold"), f" at {plain(domain.folder)}", no_wrap=True)
    yield Text(f"identities are of {domain.issuer}")
    yield Text(f"the log {domain.log} has {domain.entries} entries")
    yield Text(f"others need {plain(domain.trusted_root)}", no_wrap=True)
