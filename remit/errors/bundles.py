"""Errors of manifests, bundles and admission: RM-20xx."""

from __future__ import annotations

from remit.errors.base import EXIT_REFUSED, RemitError


class BundleError(RemitError, code="RM-2000"):
    """A unit's bundle cannot be admitted."""


class ManifestInvalid(BundleError, code="RM-2001", remedy="run 'remit unit check DIR' and correct every fault"):
    """``unit.toml`` has faults; ``details['faults']`` lists every one with its path."""


class BundleInvalid(BundleError, code="RM-2002", remedy="pack the unit again from its source"):
    """The bundle is malformed, truncated, oversized or not what its digest says."""


class UnsignedRefused(
    BundleError, code="RM-2003", exit_code=EXIT_REFUSED, remedy="add --allow-unsigned to admit a local folder"
):
    """The unit carries no signature and the caller did not allow that."""


class SourceUnknown(
    BundleError, code="RM-2004", remedy="name a folder with unit.toml, a .unit file, or oci://HOST/REPOSITORY@VERSION"
):
    """No unit source understands that reference."""


class BuildFailed(BundleError, code="RM-2005"):
    """The unit's toolchain failed; the message carries its diagnosis."""


class ArtifactMissing(BundleError, code="RM-2006", remedy="run 'remit unit build DIR' first"):
    """The manifest names an artifact that is not there."""


class Incompatible(BundleError, code="RM-2007"):
    """The unit needs another version of remit, of the world, or of another unit."""
