"""Errors of actions and their outcomes: RM-70xx."""

from __future__ import annotations

from remit.errors.base import RemitError


class CallError(RemitError, code="RM-7000"):
    """A call did not succeed."""


class ActionUnknown(CallError, code="RM-7001", remedy="run 'remit list' for the actions of the active generation"):
    """No active unit offers that action, or not at the version asked for."""


class InputInvalid(CallError, code="RM-7002"):
    """The input does not follow the action's schema; ``details['faults']`` lists every fault."""


class OutputInvalid(CallError, code="RM-7003", remedy="report the fault to the unit's publisher"):
    """The unit's output is not JSON or does not follow the action's schema."""


class UnitRejected(CallError, code="RM-7004"):
    """The unit rejected the input."""


class UnitFailed(CallError, code="RM-7005"):
    """The unit says that it failed."""


class UnitRetry(CallError, code="RM-7006"):
    """The unit asks to be called again after ``details['after_ms']`` milliseconds."""


class IdempotencyConflict(CallError, code="RM-7007", remedy="use a new idempotency key"):
    """The idempotency key was used with another input."""


class HopsExceeded(CallError, code="RM-7008"):
    """The chain of calls is too long, or comes back to a unit that is already in it."""


class StateConflict(CallError, code="RM-7009", remedy="call again"):
    """Another call changed a state key that this one had read for writing."""


class InputTooLarge(CallError, code="RM-7010", remedy="pass less, or raise runtime.input in unit.toml"):
    """The input is larger than a call may carry."""


class Quarantined(CallError, code="RM-7011"):
    """The unit is poisoned: the same fault answers until it is recovered."""


class QuotaExceeded(CallError, code="RM-7012", remedy="delete keys, do less per call, or raise runtime.state"):
    """The unit's state, or the effects of one call, are beyond their bound."""


class SubscriptionUnknown(
    CallError, code="RM-7020", remedy="subscribe again; 'remit events --after N' shows what was missed"
):
    """There is no such subscription, or nobody asked it for so long that it was forgotten."""


class SubscriptionsExceeded(CallError, code="RM-7021", remedy="close subscriptions that are no longer needed"):
    """Too many subscriptions are open."""


class TimerUnknown(CallError, code="RM-7022", remedy="'remit state timers' shows those that are set"):
    """There is no such timer."""


class TimersExceeded(CallError, code="RM-7023", remedy="cancel timers that are no longer needed"):
    """Too many timers are set."""


class Unanswered(CallError, code="RM-7024", remedy="wait longer, or look who hears of it: 'remit state subscriptions'"):
    """Nobody answered in time, or too few came to a barrier: ``details["arrived"]`` has those who did."""
