"""Signatures and trust domains without a home: verifying any Sigstore bundle, and keeping a domain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import AdapterMissing, UsageError
from remit.registry.trust import Artifact, Identity, Verified
from remit.registry.trust.naming import ROTATABLE

if TYPE_CHECKING:
    from remit.registry.trust.domain import Domain
    from remit.registry.trust.naming import Rotatable

__all__ = [
    "ROTATABLE",
    "DomainView",
    "domain_root",
    "identity_token",
    "init_domain",
    "public_instance",
    "read_file",
    "rotate_domain",
    "serve_domain",
    "show_domain",
    "verify_bundle",
]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_MAX_NAME = 200
_MAX_ARTIFACT = 2 << 30
_MAX_FILE = 8 << 20


class DomainView(msgspec.Struct, frozen=True):
    """A trust domain, for people."""

    folder: str
    name: str
    issuer: str
    log: str
    entries: int
    trusted_root: str
    """Path of the file that others need."""
    trusted: dict[str, list[dict[str, str]]]
    """By part, since when and until when each of its keys counts."""


def verify_bundle(
    bundle: Path, target: str, *, root: Path | None = None, identity: Identity | None = None, key: Path | None = None
) -> Verified:
    """Verify a Sigstore bundle over a file, or over a digest. Nothing is fetched.

    :param target: a file's name, or ``sha256:HEX`` where there is no file of that name
    :param root: ``trusted_root.json``; the public instance's, as the sigstore package ships it, if left out
    :param identity: who must have signed
    :param key: the public key (PEM) to verify with, instead of an identity
    :raises Rejected: if it is not to be believed
    :raises UsageError: if a file cannot be read, or neither or both of identity and key are given
    """
    from remit.registry.trust.root import Root, public_root  # noqa: PLC0415 - loads Sigstore
    from remit.registry.trust.verifier import verify_identity, verify_key  # noqa: PLC0415 - loads Sigstore

    if (identity is None) == (key is None):
        raise UsageError(
            "say who must have signed, or with which key",
            remedy="give --certificate-identity with --certificate-oidc-issuer, or --key, and not both",
        )
    data = read_file(bundle)
    artifact = _artifact(target)
    trusted = public_root() if root is None else Root(read_file(root))
    if key is not None:
        return verify_key(data, artifact, read_file(key), trusted)
    return verify_identity(data, artifact, trusted, identity)


def init_domain(folder: Path, name: str) -> DomainView:
    """Make a trust domain.

    :param name: like a host's; nothing need answer there
    :raises DomainExists: if something is there already
    :raises UsageError: if the name is none
    """
    from remit.registry.trust.domain import Domain  # noqa: PLC0415 - loads cryptography

    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise UsageError(f"{name[:100]!r} is no name for a domain", remedy="write it like a host: trust.example.com")
    return _view(Domain.create(folder.absolute(), name))


def show_domain(folder: Path) -> DomainView:
    """What a trust domain is, and what it trusts.

    :raises DomainInvalid: if it is none
    """
    return _view(_open(folder))


def domain_root(path: Path) -> str:
    """What a home imports: the text of a file, or a trust domain's trusted root by its folder.

    :raises UsageError: if it cannot be read
    """
    file = path / "trusted_root.json" if path.is_dir() else path
    try:
        return read_file(file).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is neither a trusted root nor a key") from error


def public_instance() -> str:
    """The trusted root of the public Sigstore, as the installed sigstore package ships it."""
    from remit.registry.trust.root import public_root_text  # noqa: PLC0415 - loads Sigstore

    return public_root_text()


def identity_token(folder: Path, subject: str) -> str:
    """An identity token of a domain, for ten minutes.

    :raises DomainInvalid: if it is no domain
    """
    return _open(folder).token(subject)


def rotate_domain(folder: Path, what: Rotatable, *, compromised: bool) -> DomainView:
    """Make a new key for a part of a domain.

    :param compromised: whether what earlier keys signed counts no longer
    :raises DomainInvalid: if it is no domain
    """
    domain = _open(folder)
    domain.rotate(what, compromised=compromised)
    return _view(domain)


def serve_domain(folder: Path, *, port: int, ready: Callable[[str], None]) -> None:
    """Serve a domain to this machine until interrupted.

    :param ready: called with the address once it listens
    :raises DomainInvalid: if it is no domain
    :raises AdapterMissing: if the extra ``http`` is not installed
    """
    try:
        from remit.registry.serving import run  # noqa: PLC0415 - loads the web server
        from remit.registry.trust.service import application  # noqa: PLC0415 - beside it
    except ImportError as error:
        raise AdapterMissing(f"serving needs {error.name}", remedy="pip install 'remit[http]'") from error
    run(application(_open(folder)), "127.0.0.1", port, ready)


def read_file(path: Path, limit: int = _MAX_FILE) -> bytes:
    """A file that the operator names.

    :raises UsageError: if it cannot be read, or is too large
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", remedy="name a file") from error
    if len(data) > limit:
        raise UsageError(f"{path} has more than {limit} bytes", remedy="name a smaller file, or its sha256: digest")
    return data


def _open(folder: Path) -> Domain:
    from remit.registry.trust.domain import Domain  # noqa: PLC0415 - loads cryptography

    return Domain(folder.absolute())


def _view(domain: Domain) -> DomainView:
    root: dict[str, Any] = msgspec.json.decode(domain.trusted_root)
    lists = {name: entries for name, entries in root.items() if isinstance(entries, list)}
    return DomainView(
        folder=str(domain.folder),
        name=domain.about.name,
        issuer=domain.issuer,
        log=domain.log.origin,
        entries=len(domain.log),
        trusted_root=str(domain.folder / "trusted_root.json"),
        trusted={
            name: [entry.get("publicKey", entry)["validFor"] for entry in entries] for name, entries in lists.items()
        },
    )


def _artifact(target: str) -> Artifact:
    found = _DIGEST.fullmatch(target)
    if found and not Path(target).exists():
        return Artifact(bytes.fromhex(found.group(1)))
    return Artifact.of(read_file(Path(target), _MAX_ARTIFACT))
