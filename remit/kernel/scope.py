"""What one running call may touch: its unit, its authority, its buffered effects. Host interfaces work on a scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec.structs import astuple

from remit.errors import LeaseDenied, LeaseExhausted, RemitError
from remit.journal.event import Draft
from remit.kernel.answers import Ok, Recorder, Refused
from remit.kernel.model import Amounts, Caller, Grant, Limits, Program
from remit.schemas import mask

if TYPE_CHECKING:
    from remit.journal.effects import Effects
    from remit.kernel.ports import Authority, Clock, Hold, Ids

__all__ = ["HostFunction", "HostInterface", "Scope", "Timed"]

_MAX_RESOURCE = 512
_MOST_NOTES = 32

Answer = Ok | Refused
HostFunction = Callable[..., Answer]
"""``function(scope, *arguments) -> Ok | Refused``."""


class HostInterface(Protocol):
    """One interface of the world, as the host serves it."""

    functions: Mapping[str, HostFunction]
    """By the WIT's kebab-case name."""


class Timed(NamedTuple):
    """Host time that is being counted."""

    grant: Grant
    hold: Hold
    began_ns: int
    deadline_ns: int
    """The call's own deadline, which holds again afterwards."""


class Scope:
    """One call of one unit. Lives as long as the call; used by one thread at a time.

    ``effects`` makes what buffers state writes and events until the call commits; :attr:`notes` are events that are
    journalled with the outcome whatever it is (denials).
    """

    __slots__ = (
        "_effects", "_notes", "authority", "call_action", "caller", "cancelled", "charges", "clock", "deadline_ns",
        "ids", "log", "parameters", "program", "record", "recorder", "secrets", "timed", "touched",
    )  # fmt: skip

    def __init__(
        self,
        *,
        program: Program,
        caller: Caller,
        parameters: str,
        authority: Authority,
        effects: Callable[[Scope], Effects],
        clock: Clock,
        ids: Ids,
        deadline_ns: int,
        call_action: Callable[[Scope, Grant, str, str], Answer] | None = None,
    ) -> None:
        self.program = program
        self.caller = caller
        self.parameters = parameters
        self.authority = authority
        self._effects = effects
        self.touched: Effects | None = None
        """:attr:`effects`, once somebody has asked for them."""
        self.clock = clock
        self.ids = ids
        self.deadline_ns = deadline_ns
        self.call_action = call_action
        self.log: list[dict[str, Any]] = []
        self.record: Callable[[Draft, bool], None] | None = None
        """Journals at once what the call does outside, whatever becomes of the call; ``True`` waits for the disk."""
        self.recorder: Recorder | None = None
        self.cancelled: Callable[[], bool] = bool
        self.secrets: dict[str, str] = {}
        """Secrets that the call was given, by name: nothing that is kept may hold one."""
        self._notes: dict[tuple[str, ...], dict[str, Any]] = {}
        self.charges: dict[str, list[int]] = {}
        """What this call took of the budgets of its grants, by grant id, as :class:`Amounts` is written."""
        self.timed: Timed | None = None
        """The host time that is being counted, while a host call runs under a grant with a budget of it."""

    @property
    def effects(self) -> Effects:
        """What is buffered until the call commits; most calls have nothing and never ask."""
        if self.touched is None:
            self.touched = self._effects(self)
        return self.touched

    @property
    def limits(self) -> Limits:
        """The bounds of this call."""
        return self.program.limits

    def require(self, action: str, resource: str, method: str = "", calls: int = 1, nbytes: int = 0) -> Grant | Refused:
        """Check and charge one use of a capability; a refusal is noted for the journal and given back as an answer."""
        try:
            grant = self.authority.use(self.program.unit, action, resource, method, calls, nbytes)
        except (LeaseDenied, LeaseExhausted) as error:
            return self._refused(action, resource, error)
        charged = self.charges.get(grant.id)
        if charged is None:
            charged = self.charges[grant.id] = [0, 0, 0, 0]
        charged[0] += calls
        if nbytes:
            charged[1] += nbytes
        budget = grant.capability.budget
        if budget is not None and budget.host_us is not None:
            refused = self._time(grant)
            if refused is not None:
                return refused
        return grant

    def _refused(self, action: str, resource: str, error: LeaseDenied | LeaseExhausted) -> Refused:
        self.note_denial(action, resource, error)
        return Refused("exhausted" if isinstance(error, LeaseExhausted) else "denied", error.message)

    # ---- amounts that are known afterwards: a bound is held before, what was used is settled after ----

    def hold(self, grant: Grant, least: Amounts, most: Amounts) -> Hold | Refused:
        """Set a part of a grant's budget aside; :meth:`settle` must follow. A refusal is noted for the journal."""
        try:
            return self.authority.hold(grant, least, most)
        except (LeaseDenied, LeaseExhausted) as error:
            return self._refused(grant.capability.action, grant.capability.resource, error)

    def settle(self, grant: Grant, hold: Hold, used: Amounts) -> None:
        """Charge what was used in the place of what was held."""
        charged = self.charges.get(grant.id, (0, 0, 0, 0))
        self.charges[grant.id] = [before + more for before, more in zip(charged, astuple(used), strict=True)]
        hold.settle(used)

    def _time(self, grant: Grant) -> Refused | None:
        """Count host time for this grant from now on, and let the host call last no longer than there is of it."""
        if self.timed is not None:
            if self.timed.grant.id == grant.id:
                return None
            self.stop_timing()
        now_ns = self.clock.monotonic_ns()
        most = max(1, -(-(self.deadline_ns - now_ns) // 1_000))
        hold = self.hold(grant, Amounts(host_us=1), Amounts(host_us=most))
        if isinstance(hold, Refused):
            return hold
        self.timed = Timed(grant, hold, now_ns, self.deadline_ns)
        self.deadline_ns = min(self.deadline_ns, now_ns + hold.amounts.host_us * 1_000)
        return None

    def stop_timing(self) -> None:
        """The host call has ended, or goes on under another grant: charge the time that it took."""
        timed, self.timed = self.timed, None
        if timed is not None:
            self.deadline_ns = timed.deadline_ns
            taken = self.clock.monotonic_ns() - timed.began_ns
            self.settle(timed.grant, timed.hold, Amounts(host_us=max(1, -(-taken // 1_000))))

    @property
    def remaining_ms(self) -> int:
        """Milliseconds until the call's deadline, 0 when it has passed."""
        return max(0, (self.deadline_ns - self.clock.monotonic_ns()) // 1_000_000)

    @property
    def notes(self) -> list[Draft]:
        """What was refused in this call: an event per kind, capability, resource and code, with the number of tries."""
        unit = self.program.unit.id
        return [Draft(type=key[0], subject=unit, data=data) for key, data in self._notes.items()] if self._notes else []

    def note_denial(self, action: str, resource: str, error: RemitError) -> None:
        """Keep a denial of policy for the journal."""
        kind = "lease.exhausted" if isinstance(error, LeaseExhausted) else "lease.denied"
        self.note(kind, action, resource, error.code, error.message, error.details.get("policies", ()))

    def note(self, kind: str, action: str, resource: str, code: str, reason: str, policies: Sequence[str] = ()) -> None:
        """Keep a refusal for the journal. A guest that tries for ever fills a counter, not the disk."""
        key = (kind, action, resource[:_MAX_RESOURCE], code)
        if len(self._notes) >= _MOST_NOTES and key not in self._notes:
            key = (kind, action, "…", code)
        unit = self.program.unit
        data: dict[str, Any] = {"unit": unit.id, "digest": unit.digest, "action": action, "resource": key[2]}
        data |= {"code": code, "reason": self.masked(reason), "policies": list(policies), "tries": 0}
        self._notes.setdefault(key, data)["tries"] += 1

    def masked(self, value: Any) -> Any:
        """A JSON-able value without the secrets that the call was given."""
        return mask(value, self.secrets) if self.secrets else value
