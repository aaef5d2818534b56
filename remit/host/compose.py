"""The composition root: the one place that knows the default adapters and joins the rooms of a home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from remit.host.home import Home
from remit.host.plugging import Plugins
from remit.host.transcripts import Transcribers
from remit.host.typeinfo import make_ready
from remit.journal import Draft, Folds, Journal
from remit.kernel.dispatch import Dispatcher
from remit.kernel.ports import Authority, BundleSource, Runner
from remit.kernel.scope import HostInterface
from remit.units import ActiveCatalog, Generation, Library, Lifecycle, evaluator

if TYPE_CHECKING:
    from remit.policy.office import Office  # noqa: TC004 - Rooms is never decoded, and importing this loads Cedar

__all__ = ["BUILTINS", "Rooms", "compose"]

BUILTINS = ("remit.units.plugin", "remit.policy.plugin", "remit.registry.plugin", "remit.sandbox.plugin")
"""Registered like a third party's plugins, by module name."""


class Rooms(msgspec.Struct, kw_only=True):
    """The parts of an open home."""

    home: Home
    program: str
    plugins: Plugins
    journal: Journal
    folds: Folds
    authority: Authority
    office: Office | None
    """Where Cedar's policies are administered; ``None`` under another authority."""
    runner: Runner
    dispatcher: Dispatcher
    lifecycle: Lifecycle
    sources: Sequence[BundleSource]

    def close(self) -> None:
        """Close everything, the journal last."""
        with ExitStack() as closing:  # one that fails must not keep the next from closing
            closing.callback(self.journal.close)
            closing.callback(self.folds.save)
            closing.callback(self.runner.close)
            self.plugins.call("remit_shutdown", kernel=self)


def compose(home: Home, program: str) -> Rooms:
    """Open the journal of a home whose lock is held, and join the rooms.

    :raises JournalError: if the journal cannot be trusted
    :raises PolicyInvalid: if a policy file is wrong: a home does not start without its policies
    """
    plugins = Plugins(BUILTINS, home.config.plugin.disable)
    journal = Journal(home.private, home.clock, home.ids)
    home.id = journal.home_id
    try:
        return _join(home, program, plugins, journal)
    except BaseException:
        journal.close()
        raise


def _join(home: Home, program: str, plugins: Plugins, journal: Journal) -> Rooms:
    folds = Folds(journal, [fold for found in plugins.call("remit_read_models") for fold in found])
    authority: Authority = plugins.first(
        "remit_authority", home=home, clock=home.clock, ids=home.ids, folds=folds, journal=journal
    )
    runner: Runner = plugins.first("remit_runner", home=home, abi="component")
    interfaces: dict[str, HostInterface] = {}
    for offered in plugins.call("remit_host_interfaces", home=home):
        served: Mapping[str, HostInterface] = offered
        interfaces.update(served)
    active: Generation = folds.state("generations").active
    library = Library(journal.blobs)
    dispatcher = Dispatcher(
        home_id=home.id,
        journal=journal,
        catalog=ActiveCatalog(active, library, home.config),
        authority=authority,
        runner=runner,
        interfaces=interfaces,
        clock=home.clock,
        ids=home.ids,
        recorders=Transcribers(home, library),
    )

    def activated(generation: Generation) -> None:
        authority.activate([unit.ref for unit in generation.units], generation.grants)
        dispatcher.catalog = ActiveCatalog(generation, library, home.config)
        journal.generation = generation.number

    lifecycle = Lifecycle(
        home=home,
        journal=journal,
        folds=folds,
        library=library,
        authority=authority,
        runner=runner,
        evaluate=evaluator(dispatcher.evaluate),
        activated=activated,
    )
    lifecycle.recover()
    office = _office(authority, home, journal, folds)
    activated(active)
    rooms = Rooms(
        home=home,
        program=program,
        plugins=plugins,
        journal=journal,
        folds=folds,
        authority=authority,
        office=office,
        runner=runner,
        dispatcher=dispatcher,
        lifecycle=lifecycle,
        sources=[source for found in plugins.call("remit_bundle_sources", home=home) for source in found],
    )
    make_ready()
    plugins.call("remit_startup", kernel=rooms)
    _announce(rooms)
    return rooms


def _office(authority: Authority, home: Home, journal: Journal, folds: Folds) -> Office | None:
    from remit.policy.authority import CedarAuthority  # noqa: PLC0415 - loads Cedar, which composing has done by now
    from remit.policy.office import Office  # noqa: PLC0415 - beside it

    return Office(authority, home, journal, folds) if isinstance(authority, CedarAuthority) else None


def _announce(rooms: Rooms) -> None:
    """Journal what the start found: plugins that failed."""
    drafts = [
        Draft(type="plugin.failed", subject=failure.plugin, data=msgspec.to_builtins(failure))
        for failure in rooms.plugins.failures
    ]
    if drafts:
        rooms.journal.append(drafts)
