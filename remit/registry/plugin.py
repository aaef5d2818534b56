"""The registry room as a plugin: the sources of units, who is believed of them, and what the doctor looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.kernel.hookspecs import hookimpl
from remit.registry.sources import FolderSource, RegistrySource, UnitFileSource
from remit.registry.trust.admission import AdmissionVerifier
from remit.registry.trust.holdings import HoldingsFold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.journal import Fold, Folds
    from remit.journal.checks import Check
    from remit.kernel.ports import BundleSource, Home, Verifier
    from remit.schemas.config import Config

__all__ = ["remit_bundle_sources", "remit_doctor_checks", "remit_read_models", "remit_verifier"]


@hookimpl
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource]:
    """Folders, registries and ``.unit`` files; a folder that is there is meant before a unit of that name elsewhere."""
    return [FolderSource(), RegistrySource(home), UnitFileSource()]


@hookimpl
def remit_read_models() -> list[Fold[Any]]:
    """``trust``."""
    return [HoldingsFold()]


@hookimpl
def remit_verifier(home: Home, folds: Folds) -> Verifier:
    """Sigstore bundles, by the roots, keys and signers that the home trusts."""
    return AdmissionVerifier(lambda: folds.state(HoldingsFold.name), lambda: _named(home.config))


@hookimpl
def remit_doctor_checks(home: Home) -> list[Check]:
    """The roots that the home pins."""
    from remit.registry.checks import roots_check  # noqa: PLC0415 - only the doctor wants it

    return [roots_check(home)]


def _named(config: Config) -> frozenset[str]:
    """The units and publishers that the operator wrote down."""
    publishers = {name for registry in config.registry.values() for name in registry.publishers}
    return frozenset({unit.id for unit in config.units} | publishers - {"*"})
