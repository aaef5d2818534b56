"""The registry room as a plugin: the sources of units, and what the doctor looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl
from remit.registry.sources import FolderSource, RegistrySource, UnitFileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.kernel.offers import Check
    from remit.kernel.ports import BundleSource, Home

__all__ = ["remit_bundle_sources", "remit_doctor_checks"]


@hookimpl
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource]:
    """Folders, registries and ``.unit`` files; a folder that is there is meant before a unit of that name elsewhere."""
    return [FolderSource(), RegistrySource(home), UnitFileSource()]


@hookimpl
def remit_doctor_checks(home: Home) -> list[Check]:
    """The roots that the home pins."""
    from remit.registry.checks import roots_check  # noqa: PLC0415 - only the doctor wants it

    return [roots_check(home)]
