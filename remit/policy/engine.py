"""Plain Cedar over parsed handles: policies and schema in, decisions out, with Cedar's own semantics and nothing added.

Fail-closed judgement is the decider's. Two rules of the binding are kept here, because breaking either fails open: the
schema is always a handle that declares actions (an empty schema text counts as none), and entities are always built
with it (without it, action groups have no members and every forbid on a group silently stops matching).
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import cedarpy
import msgspec
from cedarpy import pst

from remit.errors import PolicyInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Answer", "Engine", "on_large_stack", "parse_schema"]

T = TypeVar("T")

_FAILED_POLICY = re.compile(r"error while evaluating policy `([^`]*)`")
_STACK = 16 << 20
_STACK_LOCK = threading.Lock()


def on_large_stack(work: Callable[[], T]) -> T:
    """Run ``work`` on a thread whose stack holds the parser at its deepest permitted nesting.

    The caller's own stack may be small (a guest thread, another libc), and overflowing it ends the process.
    """
    results: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread, whatever it is
            faults.append(error)

    with _STACK_LOCK:
        before = threading.stack_size(_STACK)
        try:
            thread = threading.Thread(target=run, name="remit-policy-parser")
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if faults:
        raise faults[0]
    return results[0]


class Answer(msgspec.Struct, frozen=True):
    """What Cedar said. ``decision`` is ``"none"`` where it could not decide at all."""

    decision: str
    """``allow``, ``deny`` or ``none``."""
    reasons: tuple[str, ...] = ()
    """Ids of the policies that determined it, sorted; empty for a deny by default."""
    errors: tuple[str, ...] = ()
    """Ids of the policies that failed to evaluate, sorted; ``"?"`` for a fault of the request.

    Ids only: Cedar's own texts quote entities, which do not belong in a journal.
    """


def parse_schema(text: str) -> cedarpy.Schema:
    """A schema handle.

    :raises PolicyInvalid: if it does not parse or declares no action
    """
    try:
        schema = cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PolicyInvalid(f"the Cedar schema does not parse: {error}") from error
    # The rendered form is the only look that the binding gives into a schema.
    if "action " not in str(schema):
        raise PolicyInvalid("the Cedar schema declares no action: every request would be refused")
    return schema


class Engine:
    """One immutable policy set with its schema. Safe to share between threads."""

    def __init__(self, policies: Mapping[str, pst.Template], schema: cedarpy.Schema) -> None:
        self.schema = schema
        self.policies = dict(policies)
        self._handle = on_large_stack(lambda: self._load(self.policies))

    @staticmethod
    def _load(policies: Mapping[str, pst.Template]) -> cedarpy.PolicySet:
        static = pst.FrozenMap(policies)
        return cedarpy.PolicySet.from_pst(
            pst.PolicySet(templates=pst.FrozenMap(), static_policies=static, template_links=())
        )

    def entities(self, entities: Sequence[Mapping[str, Any]]) -> cedarpy.Entities:
        """An entity handle, checked against the schema and with its action groups.

        :raises ValueError: if an entity does not follow the schema
        """
        return cedarpy.Entities.from_json_str(json.dumps(entities), self.schema)

    def authorize(self, request: Mapping[str, Any], entities: cedarpy.Entities) -> Answer:
        """Decide one request: ``principal``, ``action``, ``resource`` (``type`` and ``id`` each) and ``context``."""
        result = cedarpy.is_authorized(dict(request), self._handle, entities, self.schema)
        failed = {_failed(text) for text in result.diagnostics.errors}
        decisions = {cedarpy.Decision.Allow: "allow", cedarpy.Decision.Deny: "deny"}
        return Answer(
            decisions.get(result.decision, "none"),
            tuple(sorted(result.diagnostics.reasons)),
            tuple(sorted(failed)),
        )

    def annotation(self, policies: Iterable[str], name: str) -> list[str]:
        """The values of one annotation on these policies, without repeats, in their order."""
        found = (self.policies[one].annotations.get(name, "") for one in policies if one in self.policies)
        return list(dict.fromkeys(text for text in found if text))


def _failed(text: str) -> str:
    match = _FAILED_POLICY.search(text)
    return match[1] if match else "?"
