"""What one running call may touch: its unit, its authority, its buffered effects. Host interfaces work on a scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from remit.errors import LeaseDenied, LeaseExhausted, RemitError
from remit.journal.event import Draft
from remit.kernel.answers import Ok, Recorder, Refused
from remit.kernel.model import Caller, Grant, Limits, Program
from remit.schemas import mask

if TYPE_CHECKING:
    from remit.kernel.effects import Effects
    from remit.kernel.ports import Authority, Clock, Ids

__all__ = ["HostFunction", "HostInterface", "Scope"]

_MAX_RESOURCE = 512
_MOST_NOTES = 32

Answer = Ok | Refused
HostFunction = Callable[..., Answer]
"""``function(scope, *arguments) -> Ok | Refused``."""


class HostInterface(Protocol):
    """One interface of the world, as the host serves it."""

    functions: Mapping[str, HostFunction]
    """By the WIT's kebab-case name."""


class Scope:
    """One call of one unit. Lives as long as the call; used by one thread at a time.

    ``effects`` buffers state writes and events until the call commits; :attr:`notes` are events that are journalled
    with the outcome whatever it is (denials).
    """

    __slots__ = (
        "_notes", "authority", "call_action", "caller", "cancelled", "charges", "clock", "deadline_ns", "effects",
        "ids", "log", "parameters", "program", "record", "recorder", "secrets",
    )  # fmt: skip

    def __init__(
        self,
        *,
        program: Program,
        caller: Caller,
        parameters: str,
        authority: Authority,
        effects: Effects,
        clock: Clock,
        ids: Ids,
        deadline_ns: int,
        call_action: Callable[[Scope, str, str], Answer] | None = None,
    ) -> None:
        self.program = program
        self.caller = caller
        self.parameters = parameters
        self.authority = authority
        self.effects = effects
        self.clock = clock
        self.ids = ids
        self.deadline_ns = deadline_ns
        self.call_action = call_action
        self.log: list[dict[str, Any]] = []
        self.record: Callable[[Draft, bool], None] | None = None
        """Journals at once what the call does outside, whatever becomes of the call; ``True`` waits for the disk."""
        self.recorder: Recorder | None = None
        self.cancelled: Callable[[], bool] = lambda: False
        self.secrets: dict[str, str] = {}
        """Secrets that the call was given, by name: nothing that is kept may hold one."""
        self._notes: dict[tuple[str, ...], dict[str, Any]] = {}
        self.charges: dict[str, tuple[int, int]] = {}

    @property
    def limits(self) -> Limits:
        """The bounds of this call."""
        return self.program.limits

    def require(
        self, action: str, resource: str, *, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant | Refused:
        """Check and charge one use of a capability; a refusal is noted for the journal and given back as an answer."""
        try:
            grant = self.authority.use(self.program.unit, action, resource, method=method, calls=calls, nbytes=nbytes)
        except (LeaseDenied, LeaseExhausted) as error:
            self.note_denial(action, resource, error)
            return Refused("exhausted" if isinstance(error, LeaseExhausted) else "denied", error.message)
        had_calls, had_bytes = self.charges.get(grant.id, (0, 0))
        self.charges[grant.id] = (had_calls + calls, had_bytes + nbytes)
        return grant

    @property
    def remaining_ms(self) -> int:
        """Milliseconds until the call's deadline, 0 when it has passed."""
        return max(0, (self.deadline_ns - self.clock.monotonic_ns()) // 1_000_000)

    @property
    def notes(self) -> list[Draft]:
        """What was refused in this call: an event per kind, capability, resource and code, with the number of tries."""
        return [Draft(type=key[0], subject=self.program.unit.id, data=data) for key, data in self._notes.items()]

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
