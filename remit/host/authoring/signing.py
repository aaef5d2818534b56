"""Signing units, and verifying them without a home: a trust domain, a key, or any Sigstore instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from remit.errors import BundleInvalid, RemitError, SourceUnknown, UsageError
from remit.errors.signatures import IdentityMismatch, SignatureMissing
from remit.host.authoring.trusting import read_file
from remit.journal import Progress, no_progress, write_atomically
from remit.kernel.model import Bundle, Verification
from remit.kernel.ports import BundleSource
from remit.registry import FolderSource, RegistrySource, UnitFileSource, encode
from remit.registry.trust import Identity
from remit.units.manifest import parse

if TYPE_CHECKING:
    from remit.registry.trust.signing import StatementSigner

__all__ = ["SignAs", "SignedUnit", "local_bundle", "sign_bundle", "sign_unit", "verify_unit", "write_unit"]


class SignAs(msgspec.Struct, frozen=True, kw_only=True):
    """How to sign: exactly one way; and what else to say of the unit."""

    domain: Path | None = None
    """A trust domain's folder, with ``identity``."""
    identity: str = ""
    """Who signs, in the domain: an e-mail address or a URI."""
    key: Path | None = None
    """A private key, PEM."""
    instance: Path | None = None
    """A Sigstore instance's client trust configuration, with ``token``."""
    token: Path | None = None
    """The file of an identity token that the instance accepts."""
    sbom: Path | None = None
    """A CycloneDX list of the unit's parts, JSON."""
    provenance: Path | None = None
    """A SLSA provenance, JSON."""

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return any(getattr(self, name) for name in self.__struct_fields__)


class SignedUnit(msgspec.Struct, frozen=True):
    """A unit's file that was signed."""

    file: str
    id: str
    version: str
    digest: str
    signatures: int
    """How many refer to it now, of whatever it was said."""


def sign_unit(
    reference: Path | str, target: Path | None, sign_as: SignAs, progress: Progress = no_progress
) -> SignedUnit:
    """Sign a unit: a ``.unit`` file in place, or a folder as a ``.unit`` file beside it.

    :param target: where to write it instead
    :raises SigningFailed: if it cannot be signed
    :raises BundleError: if it is not well formed
    """
    bundle = sign_bundle(local_bundle(str(reference), progress), sign_as)
    manifest = parse(bundle.unit_toml)
    given = Path(reference)
    place = write_unit(bundle, target or (given if given.is_file() else None), manifest.id, manifest.version)
    return SignedUnit(str(place), manifest.id, manifest.version, bundle.digest, len(bundle.referrers))


def sign_bundle(bundle: Bundle, sign_as: SignAs) -> Bundle:
    """The bundle with a signature of its release beside it.

    :raises SigningFailed: if it cannot be signed
    :raises UsageError: if not exactly one way to sign is given
    """
    from remit.registry.trust.releasing import CYCLONEDX, SLSA, attestation, signed  # noqa: PLC0415 - heavy

    manifest = parse(bundle.unit_toml)
    files = {CYCLONEDX: sign_as.sbom, SLSA: sign_as.provenance}
    said = {kind: attestation(kind, read_file(path)) for kind, path in files.items() if path is not None}
    return signed(bundle, manifest.id, manifest.version, _signer(sign_as), said)


def verify_unit(
    reference: str,
    *,
    root: Path | None = None,
    identity: Identity | None = None,
    key: Path | None = None,
    progress: Progress = no_progress,
) -> Verification:
    """Where a unit comes from, by a root and an identity, or a key, and nothing that a home knows.

    :param reference: a ``.unit`` file, or ``oci://…``
    :raises Rejected: if it is not to be believed, or somebody else signed it
    :raises UsageError: if it is not said whom to believe
    """
    from remit.registry.trust.admission import AdmissionVerifier  # noqa: PLC0415 - needed here alone
    from remit.registry.trust.changes import imported  # noqa: PLC0415 - beside it
    from remit.registry.trust.holdings import Holdings  # noqa: PLC0415 - beside it

    if (key is None) == (root is None and identity is None) or (root is None) != (identity is None):
        raise UsageError(
            "say whom to believe", remedy="give --trusted-root with --identity and --issuer, or --key, and not both"
        )
    trusted = Holdings()
    if key is not None:
        facts = imported(trusted, _text(key), publisher="given")
        trusted = Holdings(keys={facts["name"]: facts["text"]})
    if root is not None:
        trusted = Holdings(roots={"given": imported(trusted, _text(root), "given")["text"]})
    bundle = local_bundle(reference, progress, remote=True)
    if not bundle.referrers:
        raise SignatureMissing(f"{reference[:200]} is not signed")
    found = AdmissionVerifier(lambda: trusted, frozenset).verify(bundle)
    if identity is not None and (found.facts["signer"], found.facts["issuer"]) != (identity.subject, identity.issuer):
        raise IdentityMismatch(f"it is signed by {found.signer}")
    return found


def local_bundle(reference: str, progress: Progress, *, remote: bool = False) -> Bundle:
    """The bundle of a folder or a file.

    :param remote: whether a whole reference to a registry will do as well
    :raises SourceUnknown: if it is none of them
    """
    sources: list[BundleSource] = [FolderSource(), UnitFileSource(), *([RegistrySource()] if remote else [])]
    for source in sources:
        if source.accepts(reference):
            return source.fetch(reference, progress)
    raise SourceUnknown(f"{reference[:200]!r} is neither a unit's folder nor a .unit file")


def write_unit(bundle: Bundle, place: Path | None, unit: str, version: str) -> Path:
    """Write a ``.unit`` file.

    :param place: the file, or the folder for it; by default this one
    :raises BundleInvalid: if it cannot be written
    """
    name = f"{unit.replace('/', '-')}-{version}.unit"
    place = Path(name) if place is None else place / name if place.is_dir() else place
    try:
        write_atomically(place, encode(bundle), mode=0o644)
    except (OSError, RemitError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BundleInvalid(f"{place} cannot be written: {why}", remedy="name a place for the file") from error
    return place


def _signer(sign_as: SignAs) -> StatementSigner:
    from remit.registry.trust.domain import Domain  # noqa: PLC0415 - loads cryptography
    from remit.registry.trust.signing import DomainSigner, KeySigner, SigstoreSigner  # noqa: PLC0415 - beside it

    ways = [sign_as.domain is not None, sign_as.key is not None, sign_as.instance is not None]
    if sum(ways) != 1 or (sign_as.domain is None) != (not sign_as.identity):
        raise UsageError(
            "say how to sign, in one way", remedy="give --domain with --identity, or --key, or --instance with --token"
        )
    if sign_as.domain is not None:
        return DomainSigner(Domain(sign_as.domain.absolute()), sign_as.identity)
    if sign_as.key is not None:
        return KeySigner(read_file(sign_as.key))
    if sign_as.instance is None or sign_as.token is None:
        raise UsageError("an instance signs for the holder of a token", remedy="give --token FILE")
    return SigstoreSigner(read_file(sign_as.instance), _text(sign_as.token).strip())


def _text(path: Path) -> str:
    try:
        return read_file(path).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text") from error
