"""What a registry offers at one moment: from its list of units, or from its tags where it keeps none.

Where the home pins the registry's root, nothing of the list is believed that its keeper did not attest
(:mod:`remit.registry.freshness`), and a registry without a list offers nothing. Without a pin, nothing protects from an
old copy. A registry without a list says nothing of what a version needs, so the manifests of the newest ones are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from remit.errors import NotAttested, NotAUnit, ReferenceUnknown, ValueInvalid
from remit.kernel.model import Release
from remit.registry.bundle import MANIFEST, layers_by_name
from remit.registry.client import RegistryClient
from remit.registry.freshness import Anchor, Freshness
from remit.registry.index import MAX_LOG, Offer, fold, read_log
from remit.registry.intake import required_units
from remit.registry.oci import read_unit, sha256
from remit.registry.reference import SCHEME, Reference, Registry
from remit.registry.standing import hold
from remit.registry.tags import tag_of, versions_of
from remit.schemas import load_toml

__all__ = ["Offering"]

_LOG = "/units.jsonl"
_MOST_READ = 30
"""Versions of one unit whose manifests are read, where there is no list."""


class Offering:
    """One registry: its list is fetched and checked at the first question, and kept.

    :param connect: gives a client of the registry
    """

    def __init__(self, registry: Registry, connect: Callable[[], RegistryClient], anchor: Anchor | None = None) -> None:
        self._registry = registry
        self._connect = connect
        self._anchor = anchor
        self._fresh: Freshness | None = None
        self._listed: Mapping[str, Offer] | None = None
        self._asked = False

    def standing(self, reference: Reference) -> Reference:
        """The reference, held to the best version that was not withdrawn, where the registry keeps a list of units.

        :raises Yanked: if nothing in the range stands, or what is named was killed
        :raises NotAttested: if the home pins the registry's root, and its keeper does not list what is meant
        :raises RegistryError: if the registry cannot be used, or its metadata not be believed
        """
        offer = (self._list() or {}).get(reference.repository)
        held = reference if offer is None else hold(reference, offer)
        if self._fresh is None:
            return held
        for release in () if offer is None else offer.releases:
            if release.digest == held.digest or (held.tag and tag_of(release.version) == held.tag):
                self._fresh.check(reference.repository, release.version, release.digest)
                return msgspec.structs.replace(held, tag="", version_range="", digest=release.digest)
        raise NotAttested(f"{reference} is not listed by the registry's keeper")

    def releases(self, unit: str) -> list[Release]:
        """Every version of a unit there; none where the registry does not know it.

        :raises RegistryError: if the registry cannot be used, or its metadata not be believed
        """
        repository = self._registry.repository(unit)
        listed = self._list()
        if listed is None:
            with self._connect() as client:
                return self._read(client, unit, repository)
        found = []
        for one in listed[repository].releases if repository in listed else ():
            if self._fresh is not None:
                self._fresh.check(repository, one.version, one.digest)
            place = self._place(repository, one.digest)
            found.append(Release(unit, one.version, one.digest, place, one.requires, one.withdrawn, one.reason))
        return found

    def _list(self) -> Mapping[str, Offer] | None:
        if not self._asked:
            with self._connect() as client:
                self._listed = self._fetch(client)
            self._asked = True
        return self._listed

    def _fetch(self, client: RegistryClient) -> Mapping[str, Offer] | None:
        if self._anchor is not None:
            self._fresh = Freshness(self._again, self._anchor)
        try:
            data = client.file(_LOG, MAX_LOG)
        except ReferenceUnknown:
            if self._anchor is not None:
                raise
            return None
        if self._fresh is not None:
            self._fresh.check_log(data)
        return fold(read_log(data))

    def _again(self, path: str, limit: int) -> bytes:
        # A publisher's own metadata is fetched when one of its units is asked for, long after the list.
        with self._connect() as client:
            return client.file(path, limit)

    def _read(self, client: RegistryClient, unit: str, repository: str) -> list[Release]:
        try:
            versions = versions_of(client.tags(repository))
        except ReferenceUnknown:
            return []
        found = []
        for version in versions[:_MOST_READ]:
            raw = client.manifest(repository, tag_of(version))
            try:
                facts = load_toml(client.blob(repository, layers_by_name(read_unit(raw))[MANIFEST]))
            except (ValueInvalid, NotAUnit, KeyError):  # installing it would say why; for resolving it is not there
                continue
            if (facts.get("id"), facts.get("version")) == (unit, version):
                digest = sha256(raw)
                found.append(Release(unit, version, digest, self._place(repository, digest), required_units(facts)))
        return found

    def _place(self, repository: str, digest: str) -> str:
        return f"{SCHEME}{self._registry.host}/{repository}@{digest}"
