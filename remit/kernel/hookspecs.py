"""Every hook of Remit, in one place. Plugins implement them with :data:`hookimpl`; hooks run when things are composed.

Built-in rooms use the same hooks as third parties; ``remit.host`` registers them by module name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from remit.journal.event import Record
    from remit.journal.fold import Fold, Folds
    from remit.journal.log import Journal
    from remit.kernel.ports import Authority, BundleSource, Clock, Home, Ids, Runner
    from remit.kernel.scope import HostInterface

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "remit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# ---- adapters of the kernel's ports ----


@hookspec(firstresult=True)
def remit_runner(home: Home, abi: str) -> Runner | None:
    """Give the runner for an ABI (``"component"``), or ``None`` to leave it to others.

    :param home: the open home; compiled code is cached below ``home.cache``
    """


@hookspec(firstresult=True)
def remit_authority(home: Home, clock: Clock, ids: Ids, folds: Folds, journal: Journal) -> Authority | None:
    """Give the policy decision point of a home.

    :param folds: the read models, for what was revoked and what was used (its own ``leases`` fold)
    :param journal: for what must be on record before it takes effect: reserved budgets, consents, policies
    """


@hookspec
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource] | None:
    """Sources of units, asked in the order of registration."""


@hookspec
def remit_host_interfaces(home: Home) -> Mapping[str, HostInterface] | None:
    """Host interfaces by short WIT name: what a guest's imports are served with."""


@hookspec(firstresult=True)
def remit_service(facade: Any, options: Any) -> Any:
    """Give what serves a home over the network, as ``remit.host.service`` describes it, or ``None``.

    :param facade: the home, whoever its kernel is (``remit.host.Facade``)
    :param options: where and how to listen (``remit.host.ServiceOptions``)
    """


# ---- what is built from the journal ----


@hookspec
def remit_read_models() -> Sequence[Fold[Any]] | None:
    """Read models: folds over the journal, served by ``remit state`` under their names."""


@hookspec
def remit_gc_roots(home: Home) -> Sequence[str] | None:
    """Digests of blobs that must be kept."""


# ---- lifecycle and observation ----


@hookspec
def remit_startup(kernel: Any) -> None:
    """The kernel is composed and about to serve."""


@hookspec
def remit_shutdown(kernel: Any) -> None:
    """The kernel is about to close."""


@hookspec
def remit_event(record: Record) -> None:
    """A record was committed. Runs off the writer's thread; a slow observer delays only observers."""
