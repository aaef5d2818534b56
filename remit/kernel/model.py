"""The data that crosses the kernel's ports: immutable structs, JSON-able, no behaviour beyond small derivations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from remit.schemas import Validator
from remit.schemas.config import LOCAL_OPERATOR
from remit.schemas.limits import Limits

__all__ = [
    "LOCAL_OPERATOR", "Action", "Amounts", "Budget", "Bundle", "Caller", "Capability", "Decision", "EntityRef",
    "Exported", "Grant", "GrantStatus", "GuestOutcome", "Limits", "Program", "Referrer", "Release", "UnitRef",
    "Verification",
]  # fmt: skip

Admission = Literal["signed", "local"]
Kind = Literal["config", "transform", "tool", "native"]


class UnitRef(msgspec.Struct, frozen=True):
    """One admitted unit: what leases bind to (``digest``) and what state binds to (``id``)."""

    id: str
    """``publisher/name``."""
    version: str
    digest: str
    """``sha256:…`` of the bundle's manifest."""
    kind: Kind
    admission: Admission

    @property
    def publisher(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]


class Amounts(msgspec.Struct, frozen=True, array_like=True):
    """What uses take of a grant's budget. Written as a list; what a shorter one leaves out is nothing."""

    calls: int = 0
    bytes: int = 0
    host_us: int = 0
    """Host time in microseconds: how long host calls under the grant took."""
    fuel: int = 0
    """Instructions that metered callees used on behalf of the grant's unit."""

    def __add__(self, more: Amounts) -> Amounts:
        return Amounts(
            self.calls + more.calls, self.bytes + more.bytes, self.host_us + more.host_us, self.fuel + more.fuel
        )


class Budget(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of a capability may be used per window; ``None`` is unbounded."""

    window_ms: int
    calls: int | None = None
    bytes: int | None = None
    host_us: int | None = None
    """Host time in microseconds."""
    fuel: int | None = None
    """Instructions of metered callees; for ``action:call`` alone."""

    @property
    def bounds(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Of each of :class:`Amounts`, in their order."""
        return self.calls, self.bytes, self.host_us, self.fuel


class Capability(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action on a resource, as a manifest declares it."""

    action: str
    resource: str
    methods: tuple[str, ...] = ()
    budget: Budget | None = None
    reason: str = ""
    optional: bool = False

    @property
    def envelope(self) -> dict[str, Any]:
        """What bounds the use: methods and budget, as plain JSON."""
        envelope: dict[str, Any] = {}
        if self.methods:
            envelope["methods"] = list(self.methods)
        if self.budget is not None:
            envelope["budget"] = msgspec.to_builtins(self.budget)
        return envelope


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """Policy's answer, with the ids of the policies that made it (sorted)."""

    outcome: Literal["allow", "ask", "deny"]
    policies: tuple[str, ...] = ()
    reason: str = ""
    reach: str = ""
    """Digest of the policies in reach, where the answer is ``ask``: what a consent binds to."""

    @property
    def allowed(self) -> bool:
        """Whether the answer is a plain yes."""
        return self.outcome == "allow"

    @property
    def verdict(self) -> str:
        """Why not, as the end of a sentence that says what was refused."""
        return f"denied by {', '.join(self.policies)}" if self.policies else "no policy permits it"


class EntityRef(msgspec.Struct, frozen=True):
    """A thing that policy speaks of: a Cedar entity type of namespace ``Remit``, and an id."""

    type: Literal["Home", "Unit", "Action", "Grant", "Topic", "Document", "TrustDomain"]
    id: str


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A capability that a generation gives to one unit digest. ``id`` is stable while the grant is carried over."""

    id: str
    unit: UnitRef
    capability: Capability
    policies: tuple[str, ...] = ()
    consent: str = ""
    """Principal who consented, or "" where policy allowed without asking."""
    reach: str = ""
    """Digest of the policies in reach when somebody consented: other ones void the consent."""
    parent: str = ""
    """Id of the grant that this one was delegated from: it never reaches further, and ends with it."""


class GrantStatus(msgspec.Struct, frozen=True):
    """A grant as administrators see it: standing or revoked, with its live lease and what is left of its budget."""

    grant: Grant
    state: Literal["standing", "revoked"]
    lease_until_ms: int | None = None
    """When the live lease is re-decided (Unix milliseconds); ``None`` when none was taken yet."""
    calls_left: int | None = None
    bytes_left: int | None = None
    host_us_left: int | None = None
    fuel_left: int | None = None


class Program(msgspec.Struct, frozen=True, cache_hash=True):
    """What a runner needs to run a unit: its artifact and its bounds."""

    unit: UnitRef
    artifact: str
    """``sha256:…`` of the component, a blob of the home."""
    world: Literal["tool", "transform"]
    limits: Limits
    interfaces: frozenset[str]
    """Short names of our interfaces that the component may import, e.g. ``{"log", "state"}``."""
    reuse: Literal["fresh", "kept"] = "fresh"
    native: str = ""
    """The Python module that answers, where it is native code and no component."""


class GuestOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a guest's export answered: ``ok`` with text, or one of the WIT's three errors."""

    tag: Literal["ok", "rejected", "retry", "failed"]
    text: str = ""
    after_ms: int = 0
    fuel: int | None = None
    """Instructions used, where the call was metered."""
    typed: bool = False
    """Whether the text of a failure is JSON: a value of the error type of the export."""


class Action(msgspec.Struct, frozen=True):
    """A named operation of the active generation, ready to be dispatched."""

    name: str
    """``publisher/name:action``."""
    program: Program
    input: Validator | None
    output: Validator | None
    parameters: str
    """The unit's parameters as JSON text, defaults applied, variables expanded: never journalled."""
    idempotent: bool = False
    title: str = ""
    slots: tuple[str, ...] = ()
    export: str = ""
    """The function behind it, ``interface#function``, where the component is not of our world."""
    topic: str = ""
    """Where it is a reaction: the topic that it reacts to. Its handler takes the event, as the WIT has it."""
    trial: str = ""
    """The trial that it is an arm of, or ""."""
    branch: str = ""
    """The branch of the unit's state that it works on: the trial's, or "" for the unit's own."""
    arms: Callable[[str, Caller], Action] | None = None
    """While its unit is on trial: the arm for a reference and a caller, whose episode decides."""


class Exported(msgspec.Struct, frozen=True):
    """An exported function of any component, as an action could be made of it."""

    input: dict[str, Any] | None = None
    """Schema of an object with a property for each parameter; ``None`` where it cannot be called."""
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    """Schema of what it fails with, where it says so itself."""
    problem: str = ""
    """Why it cannot be called."""


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """On whose behalf an operation runs; it comes with every operation of the façade."""

    principal: str = LOCAL_OPERATOR
    namespace: str = "main"
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    deadline_ms: int | None = None
    """Milliseconds that the caller grants from now on; the smaller of it and the unit's own deadline holds."""
    idempotency_key: str = ""
    hops: int = 8
    chain: tuple[str, ...] = ()
    """Digests of the units through which the call came."""
    record: Literal["", "off", "digests", "full"] = ""
    """How much of the call to take down; "" is what the home says."""
    client: str = ""
    """Id of the client process behind the home's socket, or "" inside the kernel."""


class Referrer(msgspec.Struct, frozen=True):
    """Something that was said about a bundle and travels beside it: a signature bundle, an SBOM."""

    artifact_type: str
    """Media type of ``data``."""
    data: bytes


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a unit that can be had, as the place that has it says."""

    id: str
    version: str
    digest: str
    source: str
    """The reference that gives exactly this one."""
    requires: dict[str, str] = {}
    """Ranges of other units that it needs, by their ids."""
    withdrawn: Literal["", "yanked", "killed"] = ""
    """Yanked: no range means it any more. Killed: it may run nowhere."""
    reason: str = ""


class Bundle(msgspec.Struct, frozen=True):
    """A unit as bytes: its files by name, the canonical OCI manifest that names them, and the manifest's digest."""

    digest: str
    oci_manifest: bytes
    files: Mapping[str, bytes]
    origin: str
    """Where it came from, for people: a folder or file name, or a registry reference."""
    local: bool = False
    """Whether it is a folder of this machine: then an operator may admit it without a signature."""
    referrers: tuple[Referrer, ...] = ()
    """What came beside it; never part of the digest, and nothing of it is believed before it is verified."""

    @property
    def unit_toml(self) -> bytes:
        """The unit's manifest."""
        return self.files["unit.toml"]


class Verification(msgspec.Struct, frozen=True):
    """What was found out about where a bundle comes from."""

    admission: Admission
    signer: str = ""
    """Who signed it, for people."""
    facts: Mapping[str, str | bool] = {}
    """For policy: part of the context of ``unit:install``."""
    record: Mapping[str, Any] = {}
    """For the journal, beside the unit."""
    warnings: tuple[str, ...] = ()
