"""The composition root: the one place that knows the default adapters and joins the rooms of a home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import Denied, JournalError, PluginFailed
from remit.host.canary import Canary
from remit.host.delivery import Listeners, Queues, Reactions, Scheduler, SubscriptionsFold, TimersFold
from remit.host.home.home import Home
from remit.host.offers import Service
from remit.host.plugging import (
    Failure,
    GuardedFold,
    Plugins,
    PluginsFold,
    ServedCatalog,
    Services,
    ServingRunner,
    around_calls,
    disabled_in,
    failure_draft,
)
from remit.host.running import JoinedRunner
from remit.host.transcripts import Transcribers
from remit.host.typeinfo import make_ready
from remit.journal import Draft, Fold, Folds, Journal, Keeper
from remit.kernel.bus import Bus
from remit.kernel.dispatch import Dispatcher
from remit.kernel.model import Caller, EntityRef
from remit.kernel.ports import Authority, BundleSource, Catalog, Runner, Verifier
from remit.kernel.scope import HostInterface
from remit.units import ActiveCatalog, Finding, Generation, Library, Lifecycle, evaluator, reacting, reactions_of
from remit.units.planning.runtimes import Runtime

if TYPE_CHECKING:
    from remit.policy.office import Office  # noqa: TC004 - Rooms is never decoded, and importing this loads Cedar

__all__ = ["BUILTINS", "Rooms", "compose"]

BUILTINS = (
    "remit.units.plugin",
    "remit.policy.plugin",
    "remit.registry.plugin",
    "remit.sandbox.plugin",
    "remit.native.plugin",
    "remit.host.models.plugin",
    "remit.plugins.mcp",
    "remit.plugins.metrics",
    "remit.plugins.tracing",
)
"""Registered like a third party's plugins, by module name."""


class Rooms(msgspec.Struct, kw_only=True):
    """The parts of an open home."""

    home: Home
    program: str
    plugins: Plugins
    journal: Journal
    folds: Folds
    keeper: Keeper
    bus: Bus
    listeners: Listeners
    """Callers' live subscriptions."""
    queues: Queues
    """Durable ones, units' reactions among them."""
    reactions: Reactions
    scheduler: Scheduler
    canary: Canary
    authority: Authority
    office: Office | None
    """Where Cedar's policies are administered; ``None`` under another authority."""
    runner: Runner
    dispatcher: Dispatcher
    lifecycle: Lifecycle
    sources: Sequence[tuple[str, BundleSource]]
    """Each with the plugin that it comes from."""

    def close(self) -> None:
        """Close everything, the journal last."""
        with ExitStack() as closing:  # one that fails must not keep the next from closing
            closing.callback(self.journal.close)
            closing.callback(self.folds.save)
            closing.callback(self.keeper.close)
            closing.callback(self.runner.close)
            closing.callback(self.queues.mark)
            closing.callback(self.plugins.close)
            closing.callback(self.plugins.call, "remit_shutdown", authority=self.authority)
            closing.callback(self.reactions.close)
            closing.callback(self.scheduler.close)
            closing.callback(self.canary.close)


def compose(home: Home, program: str, extra: Mapping[str, object] | None = None) -> Rooms:
    """Open the journal of a home whose lock is held, and join the rooms.

    :param extra: plugin objects of the embedding program, by name
    :raises JournalError: if the journal cannot be trusted
    :raises PolicyInvalid: if a policy file is wrong: a home does not start without its policies
    """
    journal = Journal(home.private, home.clock, home.ids)
    home.id = journal.home_id
    try:
        plugins = Plugins(
            BUILTINS,
            disabled_in(journal, home.config.plugin.disable),
            clock=home.clock,
            deadline_s=home.config.plugin.deadline_ms / 1_000,
            most_failures=home.config.plugin.failures,
            inline=home.config.plugin.inline,
        )
        for name, plugin in (extra or {}).items():
            plugins.register(plugin, name)
        return _join(home, program, plugins, journal)
    except BaseException:
        journal.close()
        raise


def _join(home: Home, program: str, plugins: Plugins, journal: Journal) -> Rooms:
    models = _models(plugins)
    folds = Folds(journal, models)
    # Composing asks for most of our own: each would read for itself what it has not seen. Those of plugins can wait.
    folds.keep_up(names=[one.name for one in models if not isinstance(one, GuardedFold)])
    authority: Authority = plugins.first(
        "remit_authority", Authority, home=home, clock=home.clock, ids=home.ids, folds=folds, journal=journal
    )
    services = Services(plugins, plugins.offers("remit_services", Service, home=home))
    components, natives = (
        plugins.first("remit_runner", Runner, home=home, abi=abi, authority=authority)
        for abi in ("component", "native")
    )
    runner: Runner = JoinedRunner(components, natives)
    if services.actions:
        runner = ServingRunner(runner, services)
    interfaces: dict[str, HostInterface] = {}
    for _, offered in plugins.answers("remit_host_interfaces", Mapping, home=home):
        interfaces.update(offered)
    active: Generation = folds.state("generations").active
    library = Library(journal.blobs)

    def catalog(generation: Generation) -> Catalog:
        units = ActiveCatalog(generation, library, home.config, runner.functions)
        return ServedCatalog(units, services.actions) if services.actions else units

    bus = Bus(_lagging(journal))
    journal.observe(bus.publish)
    queues = Queues(journal, folds, home.clock, home.ids)
    dispatcher = Dispatcher(
        home_id=home.id,
        journal=journal,
        catalog=catalog(active),
        authority=authority,
        runner=runner,
        interfaces=interfaces,
        clock=home.clock,
        ids=home.ids,
        recorders=Transcribers(home, library),
        around=around_calls(plugins),
    )

    reactions = Reactions(
        journal=journal,
        bus=bus,
        queues=queues,
        dispatcher=dispatcher,
        clock=home.clock,
        action=lambda reaction: reacting(reaction, folds.state("generations").active, library, home.config),
    )

    def activated(generation: Generation) -> None:
        authority.activate([unit.ref for unit in generation.running], generation.grants)
        dispatcher.catalog = catalog(generation)
        journal.generation = generation.number
        queues.refresh()
        reactions.activate(reactions_of(generation, library.manifest))

    lifecycle = Lifecycle(
        home=home,
        journal=journal,
        folds=folds,
        library=library,
        authority=authority,
        runner=runner,
        verifier=plugins.first("remit_verifier", Verifier, home=home, folds=folds),
        evaluate=evaluator(dispatcher.evaluate),
        rehearse=dispatcher.rehearse,
        advise=lambda plan: [found for _, found in plugins.offers("remit_plan_findings", Finding, plan=plan)],
        activated=activated,
        runtime=Runtime(engine=version("wasmtime")),
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
        keeper=Keeper(journal, folds),
        bus=bus,
        listeners=Listeners(bus, home.clock, home.ids),
        queues=queues,
        reactions=reactions,
        scheduler=Scheduler(journal, folds, home.clock, home.ids, _speaking(lifecycle)),
        canary=Canary(journal, folds, lifecycle),
        authority=authority,
        office=office,
        runner=runner,
        dispatcher=dispatcher,
        lifecycle=lifecycle,
        sources=plugins.offers("remit_bundle_sources", BundleSource, home=home),
    )
    make_ready()
    plugins.tell(_journalling(journal))
    return rooms


def _office(authority: Authority, home: Home, journal: Journal, folds: Folds) -> Office | None:
    from remit.policy.authority import CedarAuthority  # noqa: PLC0415 - loads Cedar, which composing has done by now
    from remit.policy.office import Office  # noqa: PLC0415 - beside it

    return Office(authority, home, journal, folds) if isinstance(authority, CedarAuthority) else None


def _models(plugins: Plugins) -> Sequence[Fold[Any]]:
    own: tuple[Fold[Any], ...] = (PluginsFold(), SubscriptionsFold(), TimersFold())
    models = {fold.name: fold for fold in own}
    for plugin, fold in plugins.offers("remit_read_models", Fold):
        try:
            model = fold if plugins.is_builtin(plugin) else GuardedFold(plugins, plugin, fold)
        except PluginFailed:
            continue
        if model.name in models:
            plugins.fail(plugin, "remit_read_models", ValueError(f"another plugin has a read model {model.name}"))
        else:
            models[model.name] = model
    return list(models.values())


def _lagging(journal: Journal) -> Callable[[str, int], None]:
    def tell(subscription: str, after: int) -> None:
        with suppress(JournalError):  # it is closing
            data = {"subscription": subscription, "after": after}
            journal.submit([Draft(type="bus.lagged", subject=subscription, data=data)])

    return tell


def _speaking(lifecycle: Lifecycle) -> Callable[[str, str], Denied | None]:
    def allowed(principal: str, topic: str) -> Denied | None:
        try:
            lifecycle.authorize(Caller(principal=principal), "event:emit", EntityRef("Topic", topic))
        except Denied as denied:
            return denied
        return None

    return allowed


def _journalling(journal: Journal) -> Callable[[Failure], None]:
    def tell(failure: Failure) -> None:
        with suppress(JournalError):  # it is closing: the log has the failure
            journal.submit([failure_draft(failure)])

    return tell
