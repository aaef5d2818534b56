"""Signatures without a home: verifying any Sigstore bundle, as other Sigstore clients do."""

from __future__ import annotations

import re
from pathlib import Path

from remit.errors import UsageError
from remit.registry.trust import Artifact, Identity, Verified

__all__ = ["verify_bundle"]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_MAX_ARTIFACT = 2 << 30
_MAX_FILE = 8 << 20


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
    data = _read(bundle, _MAX_FILE)
    artifact = _artifact(target)
    trusted = public_root() if root is None else Root(_read(root, _MAX_FILE))
    if key is not None:
        return verify_key(data, artifact, _read(key, _MAX_FILE), trusted)
    return verify_identity(data, artifact, trusted, identity)


def _artifact(target: str) -> Artifact:
    found = _DIGEST.fullmatch(target)
    if found and not Path(target).exists():
        return Artifact(bytes.fromhex(found.group(1)))
    return Artifact.of(_read(Path(target), _MAX_ARTIFACT))


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", remedy="name a file") from error
    if len(data) > limit:
        raise UsageError(f"{path} has more than {limit} bytes", remedy="name a smaller file, or its sha256: digest")
    return data
