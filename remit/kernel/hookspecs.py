"""Every hook of Remit, in one place. Plugins implement them with :data:`hookimpl` and take the arguments they want.

Built-in rooms use the same hooks as third parties; ``remit.host`` registers them by module name, others come by entry
point ``remit.plugins``. A third party's hook runs on its plugin's own thread under a deadline: one that raises, hangs
or wants to end the process is named, journalled and left out, and the kernel serves on (``docs/plugins.md``).

Where a hook gets ``kernel``, that is the façade of this process's kernel (:class:`remit.Kernel`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from remit.journal.checks import Check
    from remit.journal.event import Record
    from remit.journal.fold import Fold, Folds
    from remit.journal.log import Journal
    from remit.kernel.outcome import Outcome
    from remit.kernel.ports import Authority, BundleSource, Clock, Home, Ids, Runner, Verifier
    from remit.kernel.scope import HostInterface

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "remit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# ---- adapters of the kernel's ports ----


@hookspec(firstresult=True)
def remit_runner(home: Home, abi: str, authority: Authority) -> Runner | None:
    """Give the runner for an ABI (``"component"``), or ``None`` to leave it to others.

    :param home: the open home; compiled code is cached below ``home.cache``
    :param authority: says whose guests may run in this process
    """


@hookspec(firstresult=True)
def remit_authority(home: Home, clock: Clock, ids: Ids, folds: Folds, journal: Journal) -> Authority | None:
    """Give the policy decision point of a home.

    :param folds: the read models, for what was revoked and what was used (its own ``leases`` fold)
    :param journal: for what must be on record before it takes effect: reserved budgets, consents, policies
    """


@hookspec(firstresult=True)
def remit_verifier(home: Home, folds: Folds) -> Verifier | None:
    """Give what judges where a bundle comes from.

    :param folds: the read models, for whom the home trusts and what it admitted before
    """


@hookspec
def remit_bundle_sources(home: Home | None) -> Sequence[BundleSource] | None:
    """Sources of units, asked in the order of registration."""


@hookspec
def remit_host_interfaces(home: Home) -> Mapping[str, HostInterface] | None:
    """Host interfaces by short WIT name: what a guest's imports are served with."""


@hookspec
def remit_services(home: Home) -> Sequence[Any] | None:
    """Actions that this plugin performs, for units and callers: :class:`remit.host.offers.Service`.

    A name that a plugin before it has is refused.
    """


@hookspec(firstresult=True)
def remit_web_service(facade: Any, options: Any, offers: Any) -> Any:
    """Give what serves a home over the network, as ``remit.host.service`` describes it, or ``None``.

    :param facade: the home, whoever its kernel is (``remit.host.Facade``)
    :param options: where and how to listen (``remit.host.ServiceOptions``)
    :param offers: routes and panels of the plugins (``remit.host.Offers``)
    """


@hookspec
def remit_agent_bridge() -> Any:
    """Give what speaks the protocol of agents, as ``remit.host.AgentBridge`` describes it, or ``None``."""


# ---- what is built from the journal ----


@hookspec
def remit_read_models() -> Sequence[Fold[Any]] | None:
    """Read models: folds over the journal, served by ``remit state`` under their names."""


@hookspec
def remit_gc_roots(home: Home) -> Sequence[str] | None:
    """Digests of blobs that must be kept."""


@hookspec
def remit_doctor_checks(home: Home) -> Sequence[Check] | None:
    """What ``remit doctor`` looks at; also asked of built-ins where the kernel of the home would not start."""


# ---- changes ----


@hookspec
def remit_plan_findings(plan: Any) -> Sequence[Any] | None:
    """What this plugin has to say of a plan: :class:`remit.units.Finding`; one of severity ``blocking`` stops an apply.

    Asked again at apply: the same plan must get the same findings.
    """


# ---- what people see ----


@hookspec
def remit_commands() -> Sequence[Any] | None:
    """Commands for ``remit``: :class:`click.Command` objects, groups included. A built-in verb's name is refused."""


@hookspec
def remit_http_routes(kernel: Any) -> Sequence[Any] | None:
    """Routes (:class:`remit.host.offers.Route`) that ``remit serve`` adds; asked once, under its own authentication.

    :param kernel: the home, whoever its kernel is (``remit.host.Facade``)
    """


@hookspec
def remit_panels(kernel: Any) -> Sequence[Any] | None:
    """Panels of the dashboard (:class:`remit.host.offers.Panel`); asked once, when it starts."""


# ---- lifecycle and observation ----


@hookspec
def remit_startup(kernel: Any) -> None:
    """The kernel is composed and serves."""


@hookspec
def remit_shutdown(authority: Authority) -> None:
    """The kernel is closing: nothing can be called any more, and the journal is about to be closed."""


@hookspec
def remit_event(record: Record) -> None:
    """A record was committed. Runs after the fact and in order; a slow observer falls behind alone."""


@hookspec
def remit_before_call(call: Any) -> str | None:
    """Middleware: give a reason to refuse a call, or ``None``. It can only narrow: policy has let the call through.

    :param call: :class:`remit.host.offers.Invocation`

    A guard that fails does not refuse. What must hold belongs into policy, which fails closed.
    """


@hookspec
def remit_after_call(call: Any, outcome: Outcome | None, error: Exception | None) -> None:
    """Middleware: a call ended, with an outcome or an error. What it gives is not looked at."""
