"""Which version of a unit a reference means, where some were withdrawn. Pure."""

from __future__ import annotations

import msgspec

from remit.errors import Yanked
from remit.registry.index import Offer
from remit.registry.reference import Reference
from remit.registry.tags import best_version, tag_of

__all__ = ["hold"]


def hold(reference: Reference, offer: Offer) -> Reference:
    """The reference, held to the digest of the best version that stands.

    A yanked version that is named exactly, by digest or tag, is still given; a killed one never.

    :raises Yanked: if what is named was killed, or nothing of the unit stands
    :raises ReferenceUnknown: if nothing in the range stands
    """
    tag = "" if reference.version_range else reference.tag
    if reference.digest or tag:
        for release in offer.releases:
            named = release.digest == reference.digest or tag == tag_of(release.version)
            if named and release.withdrawn == "killed":
                raise Yanked(f"{offer.id}@{release.version} was withdrawn for good: {_why(release.reason)}")
        return reference
    standing = {tag_of(release.version): release for release in offer.releases if not release.withdrawn}
    if not standing:
        raise Yanked(f"every version of {offer.id} was withdrawn: {_why(offer.best.reason)}")
    best = best_version(standing, reference.version_range or "*", offer.id)
    return msgspec.structs.replace(reference, tag="", version_range="", digest=standing[best].digest)


def _why(reason: str) -> str:
    return reason or "no reason was given"
