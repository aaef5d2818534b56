"""Whom to trust, and with what: verifying signatures, making them, and a complete local Sigstore to make them with.

Verification is pure: bytes in; :class:`Verified`, or one :class:`remit.errors.Rejected`, out. Sigstore loads on first
use, so this face loads none of it.
"""

from __future__ import annotations

from remit.registry.trust.model import Artifact, Identity, Signer, Statement, Verified
from remit.registry.trust.note import Checkpoint

__all__ = ["Artifact", "Checkpoint", "Identity", "Signer", "Statement", "Verified"]
