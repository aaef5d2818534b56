"""Whom to trust: a home's roots, keys and signers; keeping a trust domain; verifying any Sigstore bundle."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from remit import host
from remit.cli.render.trust import domain_lines, trust_lines
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import UsageError
from remit.kernel.model import EntityRef

__all__ = ["import_trust", "init", "retire", "rotate", "serve", "show", "verify_bundle"]

_FILE = click.Path(path_type=Path)
_PUBLISHER = click.option("--publisher", metavar="NAME", default="", help="For whom it signs: an id's part before '/'.")
_IDENTITY = click.option("--identity", metavar="ID", help="Who signs: an e-mail address or a URI, exactly.")
_ISSUER = click.option("--issuer", metavar="URL", help="Who vouches for them.")


@verb("init", example="remit trust init ./domain --name trust.example.com")
@click.argument("folder", metavar="DIR", type=_FILE)
@click.option("--name", metavar="HOST", required=True, help="Like a host's name; nothing need answer there.")
def init(session: Session, folder: Path, name: str) -> None:
    """Make a trust domain: a complete Sigstore of one's own.

    It has a certificate authority, a transparency log, a timestamp authority and identities; its keys are its owner's.
    Others need its trusted_root.json only.
    """
    _permit(session, "init", name)
    made = host.init_domain(folder, name)
    session.answer(made, *domain_lines(made))
    session.hint(f"Next: remit trust import {plain(str(folder))}")


@verb("show", example="remit trust show\nremit trust show ./domain --token ann@example.com")
@click.argument("folder", metavar="[DOMAIN]", type=_FILE, required=False)
@click.option("--token", "subject", metavar="ID", help="Print an identity token of the domain, for ten minutes.")
def show(session: Session, folder: Path | None, subject: str | None) -> None:
    """Show whom the home trusts, or what a trust domain is.

    A token says to a served domain who asks for a certificate.
    """
    if folder is None:
        if subject is not None:
            raise UsageError("a token is of a domain", remedy="name the domain's folder")
        with session.connect() as kernel:
            trusted = kernel.trust()
        session.answer(trusted, *trust_lines(trusted))
    elif subject is not None:
        token = host.identity_token(folder, subject)
        session.answer({"token": token}, Text(token, no_wrap=True))
    else:
        domain = host.show_domain(folder)
        session.answer(domain, *domain_lines(domain))


@verb("serve", example="remit trust serve ./domain --port 5555")
@click.argument("folder", metavar="DOMAIN", type=_FILE)
@click.option("--port", type=click.IntRange(0, 65535), default=5555, show_default=True, help="0 takes a free one.")
def serve(session: Session, folder: Path, port: int) -> None:
    """Serve a trust domain to this machine, for any Sigstore client.

    Its client trust configuration is at /trust_config.json. Stop it with Ctrl-C.
    """

    def ready(where: str) -> None:
        session.line({"address": where}, Text.assemble("serving ", plain(str(folder)), " at ", (where, "bold")))

    host.serve_domain(folder, port=port, ready=ready)


@verb(
    "import",
    example=(
        "remit trust import ./domain --publisher acme --identity ann@example.com --issuer https://oidc.trust.example.com"
        "\nremit trust import acme.pub --publisher acme\nremit trust import --public"
    ),
)
@click.argument("file", metavar="[FILE|DOMAIN]", type=_FILE, required=False)
@click.option("--public", is_flag=True, help="The public Sigstore instance.")
@click.option("--name", metavar="NAME", default="", help="What to call the root; without FILE: under which root.")
@_PUBLISHER
@_IDENTITY
@_ISSUER
def import_trust(
    session: Session,
    file: Path | None,
    *,
    public: bool,
    name: str,
    publisher: str,
    identity: str | None,
    issuer: str | None,
) -> None:
    """Have the home trust somebody.

    FILE is a trusted_root.json, a client trust configuration, or a public key (PEM) with its --publisher. A root alone
    lets anybody under it be a publisher's first signer, who is kept from then on; name the publisher's signer with it,
    or later without FILE, to say so beforehand.
    """
    if public and file is not None:
        raise UsageError("--public is a root of its own", remedy="import one at a time")
    text = host.public_instance() if public else "" if file is None else host.domain_root(file)
    who = _whom(identity, issuer)
    with session.connect() as kernel:
        trusted = kernel.trust_import(text, name=name, publisher=publisher, identity=who)
    session.answer(trusted, *trust_lines(trusted))


@verb("rotate", example="remit trust rotate ./domain log")
@click.argument("folder", metavar="DOMAIN", type=_FILE)
@click.argument("part", type=click.Choice(host.ROTATABLE))
@click.option("--compromised", is_flag=True, help="What earlier keys signed counts no longer.")
def rotate(session: Session, folder: Path, part: host.Rotatable, *, compromised: bool) -> None:
    """Make a new key for a part of a trust domain.

    What was signed until now stays valid. Homes must import the domain's trusted root again.
    """
    _permit(session, "rotate", host.show_domain(folder).name)
    domain = host.rotate_domain(folder, part, compromised=compromised)
    session.answer(domain, *domain_lines(domain))
    session.hint(f"Next: remit trust import {plain(str(folder))}, in every home")


@verb(
    "retire",
    example=(
        "remit trust retire trust.example.com\n"
        "remit trust retire --publisher acme --identity ann@example.com --issuer https://oidc.trust.example.com"
    ),
)
@click.argument("name", metavar="[NAME]", default="")
@_PUBLISHER
@_IDENTITY
@_ISSUER
def retire(session: Session, name: str, publisher: str, identity: str | None, issuer: str | None) -> None:
    """Have the home trust somebody no longer.

    NAME is a root's name or a key's sha256:…. What they sign is refused from now on; what was admitted stays.
    """
    who = _whom(identity, issuer)
    with session.connect() as kernel:
        trusted = kernel.trust_retire(name, publisher=publisher, identity=who)
    session.answer(trusted, *trust_lines(trusted))


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
        Text.assemble(("valid", "green"), f"  signed by {plain(verified.signer.text)}", no_wrap=True),
    )


def _whom(identity: str | None, issuer: str | None) -> host.Identity | None:
    if (identity is None) != (issuer is None):
        raise UsageError("an identity has two parts", remedy="give --identity and --issuer")
    return None if identity is None or issuer is None else host.Identity(identity, issuer)


def _permit(session: Session, change: str, name: str) -> None:
    """Ask the policy of the home that this happens in, where there is one."""
    with session.governing() as home:
        if home is not None:
            home.permit("trust:change", EntityRef("TrustDomain", name), facts={"change": change})
