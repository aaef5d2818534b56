"""Plain Cedar over parsed handles: policies and schema in, decisions out, with Cedar's own semantics and nothing added.

A request is evaluated against the slice of the set that its scope can reach; that changes nothing but the time. Where a
slice cannot be told (entities written unusually, a policy too deep for the syntax tree), the whole set is evaluated.
Fail-closed judgement is the decider's. Two rules of the binding are kept here, because breaking either fails open: the
schema is always a handle that declares actions (an empty schema text counts as none), and entities are always built
with it (without it, action groups have no members and every forbid on a group silently stops matching).
"""

from __future__ import annotations

import hashlib
import re
import threading
from contextvars import copy_context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import cedarpy
import msgspec
from cedarpy import pst

from remit.errors import PolicyInvalid
from remit.journal.event import encode_json
from remit.policy.sets.prescan import PLAIN, scan
from remit.policy.sets.slices import Key, Parents, ScopeIndex, above, parents_of, uid_key
from remit.policy.sets.yielding import giving_way, rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["Answer", "Engine", "Facts", "on_large_stack", "parse_schema"]

T = TypeVar("T")

_DECISIONS = {cedarpy.Decision.Allow: "allow", cedarpy.Decision.Deny: "deny", cedarpy.Decision.NoDecision: "none"}
_FAILED_POLICY = re.compile(r"error while evaluating policy `([^`]*)`")
_UID_TEXT = re.compile(r'([A-Za-z_][\w:]*)::"([^"\\\n]*)"')
_STACK = 64 << 20  # reserved address space; pages are taken as the parser goes deeper
_SMALL = 16
"""Up to so many policies the whole set is evaluated: that costs less than making slices of it."""
_MOST_SLICED = 16_384
"""Policies that all remembered slices may hold together: each takes some 12 KiB inside Cedar."""
_EACH = 4
"""Policies between two looks at the time: a tree is walked in some twenty microseconds."""
_STACK_LOCK = threading.Lock()


def on_large_stack(work: Callable[[], T]) -> T:
    """Run ``work`` on a thread whose stack holds the parser at its deepest permitted nesting.

    The caller's own stack may be small (a guest thread, another libc), and overflowing it ends the process.
    """
    results: list[T] = []
    faults: list[BaseException] = []
    context = copy_context()  # whoever works at once does so there too

    def run() -> None:
        try:
            results.append(context.run(work))
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


@lru_cache(4)
def parse_schema(text: str) -> cedarpy.Schema:
    """A schema handle, from Cedar's own syntax or its JSON form.

    :raises PolicyInvalid: if it does not parse or declares no action
    """
    try:
        is_json = text.lstrip().startswith("{")
        parse = cedarpy.Schema.from_json_str if is_json else cedarpy.Schema.from_str
        schema = parse(text, release_gil=True)  # milliseconds
    except ValueError as error:
        raise PolicyInvalid(f"the Cedar schema does not parse: {error}", remedy="correct the schema") from error
    # The rendered form is the only look that the binding gives into a schema.
    if "action " not in str(schema):
        message = "the Cedar schema declares no action: every request would be refused"
        raise PolicyInvalid(message, remedy="give the whole schema")
    return schema


@lru_cache(4)
def _groups(schema: cedarpy.Schema) -> Parents:
    """The groups of each action, as Cedar puts them among the entities."""
    actions = parents_of(msgspec.json.decode(str(cedarpy.Entities.from_json_str("[]", schema))))
    assert actions is not None
    return actions


class Facts:
    """Entities, ready for many requests."""

    __slots__ = ("handle", "parents")

    def __init__(self, handle: cedarpy.Entities, parents: Parents | None) -> None:
        """:param parents: direct parents by entity; ``None`` where they cannot be told: then nothing is sliced"""
        self.handle = handle
        self.parents = parents


class Engine:
    """One immutable policy set, with its schema or without one. Safe to share between threads.

    Without a schema nothing of a request or entity is checked: that is for other people's corpora, not for deciding.
    """

    def __init__(self, policies: Mapping[str, pst.Template], schema: cedarpy.Schema | None) -> None:
        """A set of static policies by the ids that answers name."""
        self.schema = schema
        self.policies = dict(policies)
        self._names: Mapping[str, str] = {}
        self._whole: cedarpy.PolicySet | None = None
        self._index: ScopeIndex | None = ScopeIndex(self.policies)
        self.named: frozenset[Key] | None = frozenset(_named(self.policies.values()))
        """Every entity that a policy names, in its scope or its conditions; ``None`` where that cannot be told."""
        self._slices: dict[frozenset[str], cedarpy.PolicySet] = {}
        self._sliced = 0

    @classmethod
    def parse(cls, policies: str, schema: str | None = None) -> Engine:
        """A set as any other Cedar tool would read it: ids are ``@id`` where one is there and unique, else ``policyN``.

        Templates may stand in the text; nothing links them, so they decide nothing.

        :raises PolicyInvalid: if the policies or the schema do not parse, or nest too deeply to be tried
        """
        _, findings = scan("(policies)", policies, PLAIN)
        if findings:
            raise PolicyInvalid(f"the policies cannot be read: {findings[0]}", remedy="correct the policy text")
        handle = None if schema is None else parse_schema(schema)
        try:
            whole = on_large_stack(lambda: cedarpy.PolicySet.from_str(policies, release_gil=True))
        except ValueError as error:
            raise PolicyInvalid(f"the policies do not parse: {error}", remedy="correct the policy text") from error
        try:
            node = on_large_stack(lambda: cedarpy.policies_to_pst(policies))
        except ValueError:  # valid Cedar that the syntax tree cannot hold: evaluated as a whole
            engine = cls({}, handle)
            engine._index = engine.named = None
        else:
            engine = cls(node.static_policies, handle)
            engine._names = _names(node.static_policies)
        engine._whole = whole
        return engine

    # ---- entities ----

    def entities(self, entities: Sequence[Mapping[str, Any]]) -> Facts:
        """Entities, checked against the schema and with its action groups.

        :raises ValueError: if an entity does not follow the schema, or is none
        """
        return self.written(encode_json(entities), parents_of(entities))

    def written(self, entities: bytes, parents: Parents | None) -> Facts:
        """:meth:`entities` of what is written as JSON already, and its :func:`~remit.policy.sets.slices.parents_of`.

        :raises ValueError: if an entity does not follow the schema, or is none
        """
        return Facts(cedarpy.Entities.from_json_str(entities.decode(), self.schema), parents)

    # ---- decisions ----

    def authorize(self, request: Mapping[str, Any], facts: Facts, *, sliced: bool | None = None) -> Answer:
        """Decide one request: ``principal``, ``action``, ``resource`` (``type`` and ``id`` each) and ``context``.

        The context may be its JSON, if that was written before.

        :param sliced: whether to evaluate only what the scope reaches; the answer is the same. ``None`` slices a set
            that is large enough to gain by it
        """
        asked = _asked(request)
        if sliced is None:
            sliced = len(self.policies) > _SMALL
        policies = self._slice(asked, facts) if sliced else self.whole
        # What `is_authorized` does, without its detour.
        [result] = cedarpy.is_authorized_batch([asked], policies, facts.handle, self.schema)
        failed = {_failed(text) for text in result.diagnostics.errors}
        decision = _DECISIONS[result.decision]
        return Answer(decision, self._named(result.diagnostics.reasons), self._named(failed))

    def prepare(self, request: Mapping[str, Any], facts: Facts) -> None:
        """Read in the policies that a request needs, which its first decision does otherwise; rests before."""
        if len(self.policies) > _SMALL:
            self._slice(_asked(request), facts, before=rest)

    def reach(self, request: Mapping[str, Any], facts: Facts, below: tuple[str, str] | None = None) -> frozenset[str]:
        """Ids of the policies that the request's scope reaches; every policy, where that cannot be told.

        :param below: a type and how ids of it begin: policies that name such resources are in reach too
        """
        keys = self._keys(request, facts)
        if keys is None or self._index is None:
            return frozenset(self.policies)
        principals, actions, resources = keys
        named = self._index.named_below(*below) if below is not None else []
        return self._index.reach(principals, actions, [*resources, *named])

    def digest(self, policies: Iterable[str]) -> str:
        """``sha256:…`` over the meaning of these policies: their trees, ids and annotations, not their layout."""
        total = hashlib.sha256()
        for policy in sorted(policies):
            total.update(hashlib.sha256(repr(self.policies[policy]).encode()).digest())
        return f"sha256:{total.hexdigest()}"

    def remains(self) -> list[Any]:
        """What was worked out for these policies and dies with them."""
        return [*self._slices.values(), *(self._index.remains() if self._index is not None else ())]

    @property
    def whole(self) -> cedarpy.PolicySet:
        """All policies as one handle."""
        if self._whole is None:
            self._whole = on_large_stack(lambda: _load(self.policies))
        return self._whole

    def _slice(
        self, request: Mapping[str, Any], facts: Facts, before: Callable[[], None] = lambda: None
    ) -> cedarpy.PolicySet:
        keys = self._keys(request, facts)
        if keys is None or self._index is None:
            return self.whole
        ids = self._index.reach(*keys)
        known = self._slices.get(ids)
        if known is None:
            before()
            known = on_large_stack(lambda: _load({one: self.policies[one] for one in ids}))
            if self._sliced + len(ids) > _MOST_SLICED:
                self._slices, self._sliced = {}, 0
            self._sliced += len(ids)
            self._slices[ids] = known
        return known

    def _keys(self, request: Mapping[str, Any], facts: Facts) -> tuple[list[Key], list[Key], list[Key]] | None:
        parents = facts.parents
        principal, action, resource = (_key(request.get(name)) for name in ("principal", "action", "resource"))
        if parents is None or principal is None or action is None or resource is None:
            return None
        actions = self._actions(action, parents)
        return above(principal, parents), actions, above(resource, parents)

    def _actions(self, action: Key, parents: Parents) -> list[Key]:
        """An action and the groups that it belongs to: a schema tells them, and nothing else may where there is one."""
        return above(action, parents if self.schema is None else _groups(self.schema))

    def _named(self, policies: Iterable[str]) -> tuple[str, ...]:
        names = self._names
        return tuple(sorted(names.get(one, one) for one in policies))

    def annotation(self, policies: Iterable[str], name: str) -> list[str]:
        """The values of one annotation on these policies, without repeats, in their order."""
        found = (self.policies[one].annotations.get(name, "") for one in policies if one in self.policies)
        return list(dict.fromkeys(text for text in found if text))


def _load(policies: Mapping[str, pst.Template]) -> cedarpy.PolicySet:
    static = pst.FrozenMap(policies)
    node = pst.PolicySet(templates=pst.FrozenMap(), static_policies=static, template_links=())
    return cedarpy.PolicySet.from_pst(node)


def _named(policies: Iterable[pst.Template]) -> Iterator[Key]:
    for policy in giving_way(policies, _EACH):
        yield from map(uid_key, pst.entity_uids(policy))


def _names(policies: Mapping[str, pst.Template]) -> dict[str, str]:
    """What answers call each policy: its ``@id``, unless it has none or shares it."""
    chosen = {policy: template.annotations.get("id", "") for policy, template in policies.items()}
    counts: dict[str, int] = {}
    for name in [*chosen.values(), *policies]:
        counts[name] = counts.get(name, 0) + 1
    return {policy: name if name and counts[name] == 1 else policy for policy, name in chosen.items()}


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request whose entities are written as type and id."""
    return {**request, **{name: _dict_form(request.get(name)) for name in ("principal", "action", "resource")}}


def _dict_form(uid: Any) -> Any:
    """An entity of a request as type and id, where it is written in another of Cedar's forms."""
    if isinstance(uid, dict):
        inner = uid.get("__entity") if len(uid) == 1 else None
        return inner if isinstance(inner, dict) else uid
    if isinstance(uid, str):
        match = _UID_TEXT.fullmatch(uid)
        return {"type": match[1], "id": match[2]} if match else uid
    return uid


def _key(uid: Any) -> Key | None:
    if isinstance(uid, dict) and isinstance(uid.get("type"), str) and isinstance(uid.get("id"), str):
        return uid["type"], uid["id"]
    return None


def _failed(text: str) -> str:
    match = _FAILED_POLICY.search(text)
    return match[1] if match else "?"
