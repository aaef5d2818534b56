"""Signing a unit's bundle: its release, and what else its publisher says of it. Everything travels beside the bundle.

What is said besides the release (CycloneDX lists of parts, SLSA provenance) is a statement of its own about the same
manifest, and never counts as a release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remit.errors import SigningFailed
from remit.errors.signatures import StatementMalformed
from remit.kernel.model import Bundle, Referrer
from remit.registry.bundle import pack
from remit.registry.oci import MAX_REFERRERS, SIGNATURE
from remit.registry.trust.statement import MAX_STATEMENT, release_statement, statement_about
from remit.registry.trust.strict import read_object

if TYPE_CHECKING:
    from remit.registry.trust.signing import StatementSigner

__all__ = ["CYCLONEDX", "SLSA", "attestation", "signed"]

CYCLONEDX = "https://cyclonedx.org/bom"
SLSA = "https://slsa.dev/provenance/v1"


def signed(
    bundle: Bundle, unit: str, version: str, signer: StatementSigner, attestations: Mapping[str, Any] | None = None
) -> Bundle:
    """The bundle with one more signature beside it, and what else is said of it.

    :param attestations: predicates by type
    :raises SigningFailed: if it cannot be signed, or too much refers to it already
    """
    statements = [release_statement(bundle.digest, unit, version, bundle.unit_toml)]
    name = f"{unit}@{version}"
    statements += [statement_about(bundle.digest, name, kind, said) for kind, said in (attestations or {}).items()]
    made = [Referrer(SIGNATURE, signer.sign_statement(statement)) for statement in statements]
    if len(bundle.referrers) + len(made) > MAX_REFERRERS:
        raise SigningFailed(f"{len(bundle.referrers)} things refer to it already; {MAX_REFERRERS} may")
    return pack(bundle.files, origin=bundle.origin, local=bundle.local, referrers=(*bundle.referrers, *made))


def attestation(kind: str, data: bytes) -> Any:
    """A predicate from a file, as far as it must be understood to be said.

    :raises StatementMalformed: if it is not what its type says
    """
    document = read_object(data, MAX_STATEMENT, StatementMalformed, "what is to be attested")
    wanted = {CYCLONEDX: ("bomFormat",), SLSA: ("buildDefinition", "runDetails")}[kind]
    missing = [name for name in wanted if name not in document]
    if missing or (kind == CYCLONEDX and document["bomFormat"] != "CycloneDX"):
        raise StatementMalformed(f"that is no {kind} predicate: it lacks {', '.join(missing) or 'its format'}")
    return document
