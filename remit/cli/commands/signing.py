"""Signing units, and verifying who signed them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from remit import host
from remit.cli.session import Session, verb
from remit.cli.text import plain, short_digest
from remit.errors import UsageError

__all__ = ["sign", "sign_options", "verify"]

_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--domain", metavar="DIR", type=_FILE, help="Sign in this trust domain."),
    click.option("--identity", metavar="ID", default="", help="As whom, there: an e-mail address or a URI."),
    click.option("--key", metavar="FILE", type=_FILE, help="Sign with this private key (PEM: ECDSA P-256, Ed25519)."),
    click.option(
        "--instance", metavar="FILE", type=_FILE, help="Sign at this Sigstore instance (client trust config)."
    ),
    click.option("--token", metavar="FILE", type=_FILE, help="The identity token for the instance."),
    click.option("--sbom", metavar="FILE", type=_FILE, help="Attest a CycloneDX list of parts (JSON) as well."),
    click.option("--provenance", metavar="FILE", type=_FILE, help="Attest a SLSA v1 provenance (JSON) as well."),
)


def sign_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to sign; ``host.SignAs`` takes them by name."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@verb(
    "sign",
    example=(
        "remit unit sign redact.unit --domain ./domain --identity ann@example.com\n"
        "remit unit sign ./redact -o redact.unit --key acme.pem"
    ),
)
@click.argument("reference", metavar="FILE.unit|DIR")
@click.option("-o", "--output", metavar="FILE", type=_FILE, help="Where to; by default the file itself.")
@sign_options
def sign(session: Session, reference: str, output: Path | None, **how: Any) -> None:
    """Sign a unit's release.

    The signature says that this very bundle is this version of the unit. It travels in the .unit file, and beside the
    unit in registries; the unit's digest stays the same.
    """
    with session.progress() as progress:
        done = host.sign_unit(reference, output, host.SignAs(**how), progress)
    name = (plain(f"{done.id}@{done.version}"), "bold")
    session.answer(
        done, Text.assemble(("signed ", "green"), name, f"  {plain(done.file)}  {short_digest(done.digest)}")
    )
    session.hint(f"Next: remit unit install {shlex.quote(done.file)}")


@verb(
    "verify",
    example=(
        "remit unit verify redact.unit\n"
        "remit unit verify redact.unit --trusted-root root.json --identity ann@example.com"
        " --issuer https://oidc.trust.example.com"
    ),
)
@click.argument("reference", metavar="REF")
@click.option("--trusted-root", metavar="FILE", type=_FILE, help="Whom to trust, instead of the home.")
@click.option("--identity", metavar="ID", help="Who must have signed, exactly.")
@click.option("--issuer", metavar="URL", help="Who must have vouched for them.")
@click.option("--key", metavar="FILE", type=_FILE, help="The public key to verify with, instead of an identity.")
def verify(
    session: Session,
    reference: str,
    trusted_root: Path | None,
    identity: str | None,
    issuer: str | None,
    key: Path | None,
) -> None:
    """Verify who signed a unit.

    By whom the home trusts; or, with --trusted-root or --key, by that alone and without a home. Nothing is admitted.
    Exits with 1 if its signatures are not to be believed.
    """
    if (identity is None) != (issuer is None):
        raise UsageError("an identity has two parts", remedy="give --identity and --issuer")
    who = None if identity is None or issuer is None else host.Identity(identity, issuer)
    with session.progress() as progress:
        if trusted_root or key or who:
            found = host.verify_unit(reference, root=trusted_root, identity=who, key=key, progress=progress)
        else:
            where = str(Path(reference).absolute()) if Path(reference).exists() else reference
            with session.connect() as kernel:
                found = kernel.verify(where, progress=progress)
    mark = Text("not signed", style="yellow")
    if found.admission == "signed":
        mark = Text.assemble(("valid", "green"), f"  signed by {plain(found.signer)}", no_wrap=True)
    session.answer(found, mark, *(Text(f"warning: {plain(line)}", style="yellow") for line in found.warnings))
