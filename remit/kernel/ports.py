"""The ports: protocols that the kernel depends on.

``units``, ``registry``, ``sandbox`` and ``policy`` implement these without knowing each other;
``remit.host`` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from remit.journal.ports import Clock, Ids, Progress, SystemClock, SystemIds, no_progress
from remit.kernel.model import (
    Action,
    Amounts,
    Bundle,
    Capability,
    Decision,
    EntityRef,
    Exported,
    Grant,
    GrantStatus,
    GuestOutcome,
    Program,
    Release,
    UnitRef,
    Verification,
)
from remit.schemas.config import Config

__all__ = [
    "Authority",
    "BundleSource",
    "Catalog",
    "Clock",
    "Hold",
    "Home",
    "HostCalls",
    "Ids",
    "Progress",
    "ReleaseSource",
    "Runner",
    "SystemClock",
    "SystemIds",
    "Verifier",
    "no_progress",
]


class Home(Protocol):
    """An open home, as adapters see it."""

    root: Path
    """The operator's folder."""
    id: str
    clock: Clock
    ids: Ids

    @property
    def cache(self) -> Path:
        """An owner-only folder for what can be made again."""
        ...

    @property
    def private(self) -> Path:
        """The owner-only folder that holds everything of the kernel."""
        ...

    @property
    def config_path(self) -> Path:
        """``remit.toml``."""
        ...

    @property
    def config(self) -> Config:
        """``remit.toml`` as it was read last."""
        ...

    def reload(self) -> Config:
        """Read ``remit.toml`` again.

        :raises ConfigInvalid: if it does not follow ``home/v1``
        """
        ...

    def secret(self, name: str) -> bytes:
        """A 32-byte key of this home, made at first use and kept owner-only."""
        ...


class HostCalls(Protocol):
    """The one door from a guest to the host, bound to one call of one instance.

    ``interface`` and ``function`` are the WIT's kebab-case names (``"state"``, ``"get"``). Arguments and the value of
    the answer are plain Python: ``str``, ``int``, ``bool``, ``None`` for an absent option, ``list``, ``tuple``, and a
    ``dict`` with kebab-case keys for a record. It never raises: what went wrong is an answer, or ends the call through
    :attr:`abort`, which a runner must look at after every answer and when the guest returns.
    """

    @property
    def abort(self) -> BaseException | None:
        """Why the guest must be stopped now, or ``None``. A runner raises it in place of whatever the guest did."""
        ...

    @property
    def partition(self) -> str:
        """Whom the call is for: a runner that keeps instances keeps them apart by it."""
        ...

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """Perform one host call and give its answer: :class:`remit.kernel.hostcall.Ok` or ``Refused``."""
        ...


@runtime_checkable
class Runner(Protocol):
    """Runs artifacts: components in a sandbox, or native code, where ``native`` names the module that answers."""

    def interfaces(
        self, component: bytes, progress: Progress = no_progress, *, native: str = ""
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Short names of *our* interfaces that it imports and exports (not WASI's). May compile it; nothing of it runs.

        :raises ArtifactInvalid: if the bytes are not a component, or take too much to compile
        :raises ImportRefused: if it imports anything that is neither ours nor in the closed WASI world
        """
        ...

    def functions(self, component: bytes, progress: Progress = no_progress) -> Mapping[str, Exported]:
        """What a component exports besides our interfaces, by export: ``"local:calc/api#add"``, ``"add"``.

        :raises ArtifactInvalid: if the bytes are not a component, or take too much to compile
        """
        ...

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """Compile an artifact (``sha256:…``) into the cache, unless it is there.

        :param metered: whether it will run with a fuel limit, which is other code
        :raises ArtifactInvalid: if it does not compile within the compiler's bounds
        """
        ...

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """Run ``export`` (``"provider.call"``, ``"handler.handle"``, ``"transformer.transform"``) in an instance.

        Any other export is one of :meth:`functions`: it takes one JSON text, an object of its parameters.
        Safe from any thread but one that handles signals; ``deadline_ms`` counts host calls too.

        :raises SandboxError: one class per limit and fault; the host stays alive and the next call is fine
        """
        ...

    def cancel(self, host: HostCalls) -> None:
        """Stop the call that runs with this door, from another thread; its ``run`` raises ``CallCancelled``."""
        ...

    def entries(self) -> Sequence[msgspec.Struct]:
        """The compilations in the cache, for people."""
        ...

    def clear(self) -> int:
        """Empty the cache and give the number of bytes freed; what is loaded goes on running."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class Hold(Protocol):
    """A part of a grant's budget, set aside while it is being used."""

    @property
    def amounts(self) -> Amounts:
        """How much."""
        ...

    def settle(self, used: Amounts) -> None:
        """Charge what was used in its place, be it less or more. Once only."""
        ...


@runtime_checkable
class Authority(Protocol):
    """Policy: who may do what. Every method fails closed."""

    @property
    def digest(self) -> str:
        """``sha256:…`` of the policy set and schema in force."""
        ...

    def authorize(
        self, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """Whether ``principal`` (an operator's name) may do an administrative action or ``action:invoke`` there."""
        ...

    def review(self, unit: UnitRef, capability: Capability) -> Decision:
        """What policy says today of giving this unit this capability: allow, ask (a person must consent) or deny."""
        ...

    def inline(self, unit: UnitRef) -> bool:
        """Whether this unit's guests may run in the kernel's own process; asked at every call."""
        ...

    def native(self, unit: UnitRef) -> Decision:
        """Whether this unit's own Python may run in the kernel's process; asked at every install, plan and call."""
        ...

    def activate(self, units: Sequence[UnitRef], grants: Sequence[Grant]) -> None:
        """Make these grants, and only these, the standing ones; leases under any other end at once."""
        ...

    def use(
        self, unit: UnitRef, action: str, resource: str, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant:
        """Check and charge one use of a capability; the hot path. Takes or renews the lease where needed.

        :raises LeaseDenied: if no standing grant covers it or policy denies it now; details name the policies
        :raises LeaseExhausted: if the grant's budget for this window does not cover the charge (nothing is charged)
        """
        ...

    def hold(self, grant: Grant, least: Amounts, most: Amounts) -> Hold:
        """Set aside host time or fuel of a grant before it is used: ``most``, or what the window still has of it.

        :raises LeaseDenied: if the grant does not stand any more
        :raises LeaseExhausted: if the window has less left than ``least``
        """
        ...

    def reach(self, grant: Grant, origin: str, special: str) -> Decision:
        """Whether the holder of a ``net:http`` grant may connect where ``origin`` leads to a special address."""
        ...

    def revoke(self, *grant_ids: str) -> None:
        """End grants in this process, effective at the next use. The caller journals it.

        :raises GrantUnknown: if no grant has one of the ids; none was revoked
        """
        ...

    def recall(self, *digests: str) -> None:
        """End everything that units may do, by their digests, effective at the next use. The caller journals it."""
        ...

    def grants(self) -> Sequence[GrantStatus]:
        """Every grant of the active generation, standing or revoked, in the order given to :meth:`activate`."""
        ...


class Catalog(Protocol):
    """What the active generation offers."""

    @property
    def generation(self) -> int:
        """The number of that generation."""
        ...

    def resolve(self, reference: str) -> Action:
        """The action behind ``publisher/name:action`` or ``…@RANGE``.

        :raises ActionUnknown: if no active unit offers it, or not in that range
        """
        ...

    def actions(self) -> Sequence[Action]:
        """Every callable action, in the order of the generation."""
        ...


@runtime_checkable
class BundleSource(Protocol):
    """Where units come from: a folder, a file, a registry."""

    def accepts(self, reference: str) -> bool:
        """Whether this source understands the reference."""
        ...

    def fetch(self, reference: str, progress: Progress = no_progress) -> Bundle:
        """The bundle behind the reference, its digests checked.

        :raises BundleError: if it cannot be read or is not well formed
        """
        ...


@runtime_checkable
class Verifier(Protocol):
    """Where a bundle comes from, by its signatures and by whom the home trusts."""

    def verify(self, bundle: Bundle) -> Verification:
        """Judge the signatures of a bundle, and that its bytes are what they are about.

        :raises Rejected: if there are signatures and none is to be believed
        :raises UnsignedRefused: if there is none, and it is no local folder
        """
        ...


@runtime_checkable
class ReleaseSource(Protocol):
    """A source of units that can say which versions there are."""

    def releases(self) -> Callable[[str], Sequence[Release] | None]:
        """A question about one moment: every version of a unit that is to be had here, in no order.

        The question gives ``None`` where this source has nothing to do with the unit's publisher; it raises
        ``RegistryError`` where that cannot be found out.
        """
        ...
