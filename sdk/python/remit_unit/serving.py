"""Actions, reactions and transforms of a unit, and the classes through which the kernel reaches them."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any, TypeVar, overload

from remit_unit import _world
from remit_unit.errors import Rejected, Retry

__all__ = ["ACTIONS", "Handler", "Provider", "Transformer", "action", "json_patch", "merge", "on", "transform"]

F = TypeVar("F", bound=Callable[..., Any])
ACTIONS: dict[str, Callable[..., Any]] = {}
_RAW: dict[str, Callable[[str], str]] = {}
_REACTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {}
_TRANSFORMS: list[Callable[[dict[str, Any]], list[dict[str, Any]]]] = []


@overload
def action(function: F, /) -> F: ...
@overload
def action(*, name: str = "", raw: bool = False) -> Callable[[F], F]: ...
def action(function: F | None = None, /, *, name: str = "", raw: bool = False) -> F | Callable[[F], F]:
    """Make a function an action: the members of its input are the arguments, what it returns is its output.

    :param name: as in ``unit.toml``; by default the function's, with hyphens
    :param raw: whether it takes the input's JSON text and gives the output's: the fast path
    """

    def register(wanted: F) -> F:
        key = name or wanted.__name__.replace("_", "-")
        ACTIONS[key] = wanted
        if raw:
            _RAW[key] = wanted
        return wanted

    return register if function is None else register(function)


def on(topic: str) -> Callable[[F], F]:
    """Make a function the reaction to a topic. It takes the event as a dictionary, with ``data`` decoded."""

    def register(wanted: F) -> F:
        _REACTIONS[topic] = wanted
        return wanted

    return register


def transform(function: F) -> F:
    """Make a function the unit's transform: from the documents that it reads, by name, to a list of patches."""
    _TRANSFORMS[:] = [function]
    return function


def merge(document: str, value: dict[str, Any]) -> dict[str, Any]:
    """A patch of a document that merges ``value`` into it (RFC 7396)."""
    return {"target": document, "op": "merge", "value": value}


def json_patch(document: str, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """A patch of a document by operations (RFC 6902)."""
    return {"target": document, "op": "json-patch", "value": operations}


def _answer(error: Exception) -> Exception:
    """Whatever goes wrong is the unit's answer: an exception of any other kind that left it would be a trap."""
    if isinstance(error, Rejected):
        return _world.raised("rejected", str(error)) or error
    if isinstance(error, Retry):
        return _world.raised("retry", str(error), error.after_ms) or error
    lines = "".join(traceback.format_exception(error, limit=-8)).rstrip()
    return _world.raised("failed", lines) or error


class Provider:
    """The unit's actions. A unit that has some imports this name into its module."""

    def call(self, action: str, input: str) -> str:  # noqa: A002 - the world names its arguments
        """Run an action on a JSON text."""
        try:
            return _RAW[action](input) if action in _RAW else _acted(action, input)
        except Exception as error:
            raise _answer(error) from error


class Handler:
    """The unit's reactions."""

    def handle(self, event: Any) -> str:
        """React to an event."""
        try:
            wanted = _REACTIONS.get(event.topic)
            if wanted is None:
                raise Rejected(f"nothing reacts to {event.topic!r}")  # noqa: TRY301 - answered like the unit's own
            return json.dumps(wanted({**vars(event), "data": json.loads(event.data or "null")}), ensure_ascii=False)
        except Exception as error:
            raise _answer(error) from error


class Transformer:
    """The unit's transform."""

    def transform(self, context: str) -> str:
        """Compute patches from the documents."""
        try:
            if not _TRANSFORMS:
                raise Rejected("this unit has no transform")  # noqa: TRY301 - as above
            patches = _TRANSFORMS[0](json.loads(context)["documents"])
            return json.dumps({"patches": patches}, ensure_ascii=False)
        except Exception as error:
            raise _answer(error) from error


def _acted(action: str, text: str) -> str:
    wanted = ACTIONS.get(action)
    if wanted is None:
        raise Rejected(f"there is no action {action!r}")
    value = json.loads(text)
    output = wanted(**value) if isinstance(value, dict) else wanted() if value is None else wanted(value)
    return json.dumps(output, ensure_ascii=False)
