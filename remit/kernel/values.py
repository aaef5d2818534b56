"""What goes into an action and what comes out of its guest: JSON within bounds, held against the action's schemas."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import InputInvalid, InputTooLarge, OutputInvalid, UnitFailed, UnitRejected, UnitRetry
from remit.kernel.model import Action, GuestOutcome
from remit.kernel.scope import Scope
from remit.schemas import Validator

__all__ = ["decode_input", "decode_output", "encode_input"]

_SHOWN = 2_000
"""Characters of what a unit says of its failure."""


def decode_input(action: Action, payload: bytes) -> Any:
    """The value in a JSON text.

    :raises InputTooLarge: if it is larger than a call may carry
    :raises InputInvalid: if it is not JSON, or does not follow the schema
    """
    limit = action.program.limits.input
    if len(payload) > limit:
        raise InputTooLarge(f"the input has {len(payload)} bytes; a call may carry {limit}")
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputInvalid(f"the input of {action.name} is not JSON: {error}", faults=[]) from error
    faults = _faults(action.input, value)
    if faults:
        first = faults[0]
        where = first["path"] or "the value"
        raise InputInvalid(
            f"the input of {action.name} has {len(faults)} fault(s): {where}: {first['message']}",
            remedy=f"'remit list {action.name}' shows its schema",
            faults=faults,
        )
    return value


def encode_input(action: Action, value: Any) -> tuple[str, tuple[Any, ...]]:
    """The export behind an action and its arguments: the JSON text, or an event as the WIT has it."""
    if action.topic:
        return "handler.handle", (value,)
    text = msgspec.json.encode(value).decode()
    if action.export:
        return action.export, (text,)
    return "provider.call", (action.name.rpartition(":")[2], text)


def decode_output(action: Action, answer: GuestOutcome, scope: Scope) -> Any:
    """The value that a guest answered with.

    :raises UnitRejected: if it is a refusal instead (and ``UnitFailed``, ``UnitRetry`` likewise)
    :raises OutputInvalid: if it is not JSON, or does not follow the schema
    """
    if answer.tag != "ok":
        raise _failure(action, answer, scope)
    try:
        value = msgspec.json.decode(answer.text or "null" if action.topic else answer.text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OutputInvalid(f"the output of {action.name} is not JSON: {error}") from error
    faults = _faults(action.output, value)
    if faults:
        raise OutputInvalid(
            f"the output of {action.name} does not follow its schema: {faults[0]['message']}", faults=faults
        )
    return value


def _failure(action: Action, answer: GuestOutcome, scope: Scope) -> UnitRejected | UnitFailed | UnitRetry:
    if answer.typed:  # the value is for the caller's program, the text for people
        value = scope.masked(msgspec.json.decode(answer.text))
        return UnitFailed(f"{action.name} failed: {msgspec.json.encode(value).decode()[:_SHOWN]}", error=value)
    text = scope.masked(answer.text)[:_SHOWN]  # masked before it is cut: half a secret would not be found
    match answer.tag:
        case "rejected":
            return UnitRejected(f"{action.name} rejected the input: {text}")
        case "retry":
            return UnitRetry(f"{action.name} asks for a retry: {text}", after_ms=answer.after_ms)
    return UnitFailed(f"{action.name} failed: {text}")


def _faults(validator: Validator | None, value: Any) -> list[dict[str, str]]:
    if validator is None or validator.is_valid(value):
        return []
    return [{"path": fault.path, "message": fault.message} for fault in validator.faults(value)[:50]]
