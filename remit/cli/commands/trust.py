"""Whom to trust: verifying any Sigstore bundle, and keeping a trust domain of one's own."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from remit import host
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import UsageError

__all__ = ["verify_bundle"]

_FILE = click.Path(path_type=Path)


@verb(
    "verify-bundle",
    example=(
        "remit trust verify-bundle --bundle b.json --certificate-identity ann@example.com"
        " --certificate-oidc-issuer https://accounts.example.com redact.wasm\n"
        "remit trust verify-bundle --bundle b.json --key acme.pub sha256:9f86d0…"
    ),
)
@click.option("--bundle", metavar="FILE", type=_FILE, required=True, help="The Sigstore bundle.")
@click.option("--trusted-root", metavar="FILE", type=_FILE, help="Whom to trust; the public Sigstore, if left out.")
@click.option("--certificate-identity", metavar="ID", help="Who must have signed: an e-mail address or a URI, exactly.")
@click.option("--certificate-oidc-issuer", metavar="URL", help="Who must have vouched for them.")
@click.option("--key", metavar="FILE", type=_FILE, help="The public key to verify with, instead of an identity.")
@click.argument("target", metavar="FILE|sha256:HEX")
def verify_bundle(
    session: Session,
    bundle: Path,
    trusted_root: Path | None,
    certificate_identity: str | None,
    certificate_oidc_issuer: str | None,
    key: Path | None,
    target: str,
) -> None:
    """Verify a Sigstore bundle, anybody's.

    Both kinds are understood: a signature over a file, and an in-toto statement about it. Nothing is fetched. Exits
    with 0 if it is valid, with 1 if it is rejected.
    """
    identity = None
    if (certificate_identity is None) != (certificate_oidc_issuer is None):
        raise UsageError(
            "an identity has two parts", remedy="give --certificate-identity and --certificate-oidc-issuer"
        )
    if certificate_identity is not None and certificate_oidc_issuer is not None:
        identity = host.Identity(certificate_identity, certificate_oidc_issuer)
    verified = host.verify_bundle(bundle, target, root=trusted_root, identity=identity, key=key)
    session.answer(
        {"valid": True, "signer": verified.signer, "signed_at_ms": verified.signed_at_ms},
        Text.assemble(("valid", "green"), f"  signed by {plain(verified.signer.text)}"),
    )
