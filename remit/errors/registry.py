"""Errors of registries and of what they answer: RM-21xx."""

from __future__ import annotations

from remit.errors.base import EXIT_REFUSED, RemitError


class RegistryError(RemitError, code="RM-2100"):
    """A registry, or what it answered, cannot be used."""


class RegistryUnreachable(RegistryError, code="RM-2101", remedy="check the address, and that the registry runs"):
    """No connection, or one that broke."""


class RegistryDenied(
    RegistryError, code="RM-2102", exit_code=EXIT_REFUSED, remedy="log in: put credentials into Docker's config.json"
):
    """The registry wants credentials, or refuses the ones it got."""


class ContentMismatch(RegistryError, code="RM-2103", remedy="do not trust this registry; tell its keeper"):
    """What came is not what its digest or its size says."""


class ReplyInvalid(RegistryError, code="RM-2104", remedy="check that the address is an OCI registry's"):
    """An answer does not follow the OCI distribution specification."""


class RegistryTooSlow(RegistryError, code="RM-2105", remedy="try again later"):
    """The whole exchange took longer than it may."""


class ReferenceInvalid(RegistryError, code="RM-2106", remedy="write oci://HOST/REPOSITORY@VERSION, or a digest"):
    """That is no reference to a registry."""


class ReferenceUnknown(RegistryError, code="RM-2107", remedy="run 'remit unit search' for what there is"):
    """The registry has no such repository, version or digest."""


class VersionTaken(RegistryError, code="RM-2108", remedy="publish under a new version; a published one never changes"):
    """That version is published already, with other contents."""


class RedirectRefused(RegistryError, code="RM-2109", remedy="tell the registry's keeper"):
    """The registry sends the client where it does not go."""


class ReplyTooLarge(RegistryError, code="RM-2110", remedy="do not trust this registry; tell its keeper"):
    """An answer is longer than it may be, or than it said."""


class NotAUnit(RegistryError, code="RM-2111", remedy="name a repository that holds units"):
    """What the reference leads to is another kind of artifact."""


class RegistryFailed(RegistryError, code="RM-2112", remedy="try again later"):
    """The registry says that it failed, or refuses without saying why."""


class RegistryUnknown(RegistryError, code="RM-2113", remedy="declare it under [registry.NAME] in remit.toml"):
    """No registry of the home covers that unit."""


class Yanked(RegistryError, code="RM-2116", exit_code=EXIT_REFUSED, remedy="choose another version"):
    """The version was withdrawn by its publisher or by the registry's keeper."""


class MetadataExpired(RegistryError, code="RM-2120", remedy="ask the registry's keeper to export it anew"):
    """What the registry says of itself may no longer be believed: it is too old."""


class MetadataRolledBack(RegistryError, code="RM-2121", remedy="do not trust this copy; ask the registry's keeper"):
    """The registry shows an older state of itself than the home has seen."""


class MetadataForged(RegistryError, code="RM-2122", remedy="do not trust this registry; tell its keeper"):
    """What the registry says of itself is not signed by the keys that the home pins."""


class MetadataMixed(RegistryError, code="RM-2123", remedy="try again; if it stays, do not trust this copy"):
    """Parts of what the registry says of itself do not belong together, or are missing."""


class NotAttested(RegistryError, code="RM-2124", exit_code=EXIT_REFUSED, remedy="ask the registry's keeper"):
    """The registry's keeper, or whom the keeper let speak for that publisher, does not list this version."""


class StoreInvalid(RegistryError, code="RM-2117", remedy="run 'remit registry check DIR'"):
    """A registry's folder is damaged, or is none."""
