"""Plain Cedar over files that other tools use too: a policy text, an entity list, requests line by line.

Nothing of Remit's own policies is mixed in, and nothing is fail-closed beyond Cedar: this is how an outside corpus
shows that the engine answers as Cedar does. A request that Cedar cannot judge is a deny with a fault.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import PolicyInvalid
from remit.policy.sets.engine import Answer, Engine, Facts, on_large_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Verdict", "authorize_lines"]

_MOST_FAULT = 300
_ENTITIES = "correct the entities: a JSON list with uid, attrs and parents of each"


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one line."""

    decision: str
    """``allow`` or ``deny``."""
    reasons: tuple[str, ...]
    errors: tuple[str, ...]

    @classmethod
    def of(cls, answer: Answer) -> Verdict:
        """Cedar's answer, with what it could not judge as a deny."""
        errors = tuple(one for one in answer.errors if one != "?")
        return cls("allow" if answer.decision == "allow" else "deny", answer.reasons, errors)


def authorize_lines(
    policies: str, entities: str, schema: str | None, requests: Iterable[str]
) -> Iterator[tuple[Verdict, str]]:
    """The verdict on each line, with what is wrong with the line ("" where nothing is). Empty lines are passed over.

    :param requests: lines ``{"principal", "action", "resource", "context"}`` in Cedar's JSON
    :raises PolicyInvalid: if the policies, the schema or the entities cannot be read
    """
    engine = Engine.parse(policies, schema)
    facts = _facts(engine, entities)
    for number, text in enumerate(requests):
        line = text if number else text.removeprefix("\ufeff")  # a byte order mark begins a file, not a request
        if line.strip():
            # Policies may be as deep as the parser takes them, and so is their evaluation.
            yield on_large_stack(lambda line=line: _verdict(engine, facts, line))  # type: ignore[misc]  # mypy cannot type a lambda with bound defaults


def _facts(engine: Engine, entities: str) -> Facts:
    try:
        parsed = _strict(entities)
        if not isinstance(parsed, list):
            raise PolicyInvalid("the entities are not a JSON list", remedy=_ENTITIES)
        return engine.entities(parsed)
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"the entities cannot be read: {str(error)[:_MOST_FAULT]}", remedy=_ENTITIES) from error


def _verdict(engine: Engine, facts: Facts, line: str) -> tuple[Verdict, str]:
    try:
        request = _strict(line)
        if not isinstance(request, dict):
            return Verdict("deny", (), ()), "the request is not a JSON object"
        answer = engine.authorize({"context": {}} | request, facts)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        return Verdict("deny", (), ()), f"the request cannot be read: {str(error)[:_MOST_FAULT]}"
    fault = "Cedar cannot judge the request: it does not follow its form or the schema"
    return Verdict.of(answer), fault if answer.decision == "none" else ""


def _strict(text: str) -> Any:
    """JSON in which no object names a key twice: of two values, Cedar's reader and Python's would take other ones."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(found)
        if len(value) != len(found):
            raise ValueError("an object names a key twice")
        return value

    return json.loads(text, object_pairs_hook=pairs)
