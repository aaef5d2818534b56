"""The registry room as a plugin: the sources of units that need no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl
from remit.registry.sources import FolderSource, UnitFileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.kernel.ports import BundleSource, Home

__all__ = ["remit_bundle_sources"]


@hookimpl
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource]:  # noqa: ARG001 - pluggy passes arguments by name
    """Folders and ``.unit`` files."""
    return [FolderSource(), UnitFileSource()]
