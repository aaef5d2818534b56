"""RFC 3161 timestamps: whether a trusted authority made one, over this signature, while it was trusted. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from remit.errors.signatures import TimestampUntrusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.registry.trust.root import Root

__all__ = ["check_timestamps"]


def check_timestamps(stamps: Sequence[bytes], signature: bytes, root: Root) -> list[datetime]:
    """The times that timestamps name. Every one must hold: one that is false tells of something.

    :raises TimestampAuthorityRetired: if no authority was trusted at such a time
    :raises TimestampUntrusted: if none of those that were made it over this signature
    """
    return [_check(stamp, signature, root) for stamp in stamps]


def _check(stamp: bytes, signature: bytes, root: Root) -> datetime:
    response = decode_timestamp_response(stamp)
    time = response.tst_info.gen_time
    for authority in root.timestampers(time):
        chain = [x509.load_der_x509_certificate(entry.raw_bytes) for entry in authority.cert_chain.certificates]
        if len(chain) < 2:  # noqa: PLR2004 - the authority itself, and its root
            continue
        builder = VerifierBuilder().tsa_certificate(chain[0]).add_root_certificate(chain[-1])
        for certificate in chain[1:-1]:
            builder = builder.add_intermediate_certificate(certificate)
        try:
            builder.build().verify_message(response, signature)
        except VerificationError:
            continue
        return time
    raise TimestampUntrusted(f"no trusted authority made the timestamp of {time.isoformat()} over this signature")
