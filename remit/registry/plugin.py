"""The registry room as a plugin: the sources of units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl
from remit.registry.sources import FolderSource, RegistrySource, UnitFileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.kernel.ports import BundleSource, Home

__all__ = ["remit_bundle_sources"]


@hookimpl
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource]:
    """Folders, registries and ``.unit`` files; a folder that is there is meant before a unit of that name elsewhere."""
    return [FolderSource(), RegistrySource(home), UnitFileSource()]
