"""What verification takes and gives: identities, signers, and what was found to be true of a signature."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from remit.registry.trust.note import Checkpoint

__all__ = ["Artifact", "Identity", "Signer", "Statement", "Verified"]


class Identity(msgspec.Struct, frozen=True):
    """Somebody, and who vouches for them. Both count exactly: no prefixes, no patterns."""

    subject: str
    """An e-mail address or a URI, as it stands in the certificate."""
    issuer: str
    """URL of the identity provider."""


class Signer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who signed: an identity, or the holder of a key."""

    subject: str = ""
    issuer: str = ""
    key: str = ""
    """``sha256:…`` of the public key (DER), where there is no identity."""

    @property
    def text(self) -> str:
        """The signer for people."""
        return f"{self.subject} ({self.issuer})" if self.subject else f"key {self.key}"


class Artifact(msgspec.Struct, frozen=True):
    """What a signature is about: its SHA-256, and its bytes where they are at hand."""

    sha256: bytes
    data: bytes | None = None

    @classmethod
    def of(cls, data: bytes) -> Artifact:
        """The artifact with these bytes."""
        return cls(hashlib.sha256(data).digest(), data)


class Statement(msgspec.Struct, frozen=True):
    """An in-toto statement: subjects by their digests, and something that is said about them."""

    predicate_type: str
    predicate: Any
    subjects: tuple[dict[str, str], ...]
    """The digests of each subject by algorithm, as hexadecimal."""


class Verified(msgspec.Struct, frozen=True):
    """A signature that is believed, and what it showed."""

    signer: Signer
    signed_at_ms: int | None
    """The earliest time that something trusted vouches for; ``None`` where nothing does (a key without timestamps)."""
    checkpoints: tuple[Checkpoint, ...]
    """States of logs that were shown, to be compared with those that other signatures showed."""
    statement: Statement | None
    """What was signed; ``None`` where it was the artifact itself."""
