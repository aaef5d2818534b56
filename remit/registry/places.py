"""The registries of a home: for whose units each is, who stands in for it, and what the home pins of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from remit.errors import ConfigInvalid, ValueInvalid
from remit.registry.freshness import Anchor
from remit.registry.oci import sha256
from remit.registry.reference import Reference, Registry, parse_registry
from remit.schemas.config import RegistryChoice, load_config
from remit.schemas.folder import read_inside

if TYPE_CHECKING:
    from remit.kernel.ports import Home

__all__ = ["Place", "places_of"]

_MAX_ROOT = 512_000


class Place(msgspec.Struct, frozen=True):
    """One ``[registry.NAME]``, understood."""

    registry: Registry
    publishers: tuple[str, ...] = ("*",)
    peers: tuple[Registry, ...] = ()
    anchor: Anchor | None = None

    def covers(self, publisher: str) -> bool:
        """Whether a publisher's units come from here."""
        return bool({"*", publisher} & set(self.publishers))

    def unit_of(self, reference: Reference) -> str:
        """The unit that a reference names, if it is one of this place's; "" if not."""
        prefix = f"{self.registry.prefix}/" if self.registry.prefix else ""
        unit = reference.repository.removeprefix(prefix)
        own = reference.registry.host == self.registry.host and reference.repository.startswith(prefix)
        return unit if own and self.covers(unit.partition("/")[0]) else ""


def places_of(home: Home) -> Sequence[Place]:
    """The registries that ``remit.toml`` names, in its order.

    :raises ConfigInvalid: if the file, or a root that it names, cannot be read
    :raises ReferenceInvalid: if an address is none
    """
    return [_place(home, choice) for choice in load_config(home.config_path.read_bytes()).registry.values()]


def _place(home: Home, choice: RegistryChoice) -> Place:
    anchor = None
    if choice.root:
        try:
            root = read_inside(home.root, choice.root, limit=_MAX_ROOT)
        except ValueInvalid as error:
            raise ConfigInvalid(f"the root of {choice.url}: {error.message}") from error
        if root is None:
            raise ConfigInvalid(
                f"the root of {choice.url} is not there: {choice.root}", remedy="get it from the keeper"
            )
        # What was seen belongs to a place and a root: under another root, another history counts.
        folder = sha256(f"{choice.url} {sha256(root)}".encode()).removeprefix("sha256:")[:32]
        anchor = Anchor(root, home.private / "registries" / folder)
    peers = tuple(parse_registry(peer) for peer in choice.peers)
    return Place(parse_registry(choice.url), choice.publishers, peers, anchor)
