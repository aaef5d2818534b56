"""What a registry offers of each unit, for resolving: from its list of units, or from its tags where it keeps none.

A registry without a list says nothing of what a version needs, so the manifests of the newest versions are read.
"""

from __future__ import annotations

from remit.errors import NotAUnit, ReferenceUnknown, ValueInvalid
from remit.kernel.model import Release
from remit.kernel.ports import Clock
from remit.registry.bundle import MANIFEST, layers_by_name
from remit.registry.client import RegistryClient
from remit.registry.index import Offer, fold
from remit.registry.intake import required_units
from remit.registry.oci import read_unit, sha256
from remit.registry.reference import SCHEME, Registry
from remit.registry.tags import tag_of, versions_of
from remit.schemas import load_toml

__all__ = ["Offering"]

_MOST_READ = 30
"""Versions of one unit whose manifests are read, where there is no list."""


class Offering:
    """One registry at one moment: its list is fetched at the first question and kept."""

    def __init__(self, registry: Registry, clock: Clock | None = None) -> None:
        self._registry = registry
        self._clock = clock
        self._listed: dict[str, Offer] | None = None
        self._asked = False

    def releases(self, unit: str) -> list[Release]:
        """Every version of a unit there; none where the registry does not know it.

        :raises RegistryError: if the registry cannot be used
        """
        repository = self._registry.repository(unit)
        with RegistryClient(self._registry, self._clock) as client:
            if not self._asked:
                self._listed = _list(client)
                self._asked = True
            if self._listed is None:
                return self._read(client, unit, repository)
        offer = self._listed.get(repository)
        return [] if offer is None else [
            Release(unit, one.version, one.digest, self._place(repository, one.digest), one.requires, one.withdrawn,
                    one.reason)
            for one in offer.releases
        ]  # fmt: skip

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


def _list(client: RegistryClient) -> dict[str, Offer] | None:
    try:
        return fold(client.log())
    except ReferenceUnknown:
        return None
