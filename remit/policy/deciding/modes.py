"""Whether one decision about a grant holds for everything below its resource, from what the policies in reach read.

``cached``: no policy in reach can tell the grant's resource from a resource below it, so one decision serves all.
``guarded``: one may, so each concrete resource is decided for itself, and remembered. When in doubt, guarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cedarpy import pst

from remit.policy.sets.slices import Key, uid_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remit.policy.deciding.resources import Uid

__all__ = ["Mode", "below", "mode_of"]

Mode = Literal["cached", "guarded"]

_RESOURCE = pst.Var("resource")
_JOINERS = {"Topic": ("Remit::Topic", "."), "Path": ("Remit::Path", "/"), "Unit": ("Remit::UnitAction", ":")}
_CLASSES = frozenset({"Remit::PathClass"})
"""Entities that a resource can be under while what is above it is not; a topic's class follows from its first word."""


def below(root: Uid) -> tuple[str, str] | None:
    """The type of what may stand below a resource, and how its ids begin; ``None`` where nothing does."""
    if root.type not in _JOINERS:
        return None
    kind, joiner = _JOINERS[root.type]
    return kind, root.id if root.id.endswith(joiner) else root.id + joiner


def mode_of(root: Uid, policies: Iterable[pst.Template]) -> Mode:
    """The mode of a grant on ``root``.

    :param policies: every policy whose scope reaches the grant or anything below its resource
    """
    beneath = below(root)
    if beneath is None:
        return "cached"
    reader = _Reader(root, beneath)
    return "guarded" if any(reader.tells_apart(one) for one in policies) else "cached"


class _Reader:
    """Looks for what tells a resource from one below it."""

    def __init__(self, root: Uid, beneath: tuple[str, str]) -> None:
        self._root: Key = (f"Remit::{root.type}", root.id)
        self._beneath = beneath

    def tells_apart(self, policy: pst.Template) -> bool:
        return self._scope(policy.resource) or any(self._expression(clause.expr) for clause in policy.clauses)

    def _scope(self, scope: pst.PrincipalOrResourceConstraint) -> bool:
        if isinstance(scope, pst.ScopeAny):
            return False
        typed = isinstance(scope, pst.ScopeIs | pst.ScopeIsIn)
        if typed and self._beneath[0] != self._root[0]:
            return True  # what is below is of another type
        if isinstance(scope, pst.ScopeIs):
            return False
        if not isinstance(scope.entity, pst.EntityUid):
            return True
        if isinstance(scope, pst.ScopeEq):
            return uid_key(scope.entity) == self._root or self._under(scope.entity)
        return self._under(scope.entity)

    def _under(self, uid: pst.EntityUid) -> bool:
        """Whether ``resource in uid`` may be true below the root and false at it."""
        kind, name = uid_key(uid)
        return kind in _CLASSES or (kind == self._beneath[0] and name.startswith(self._beneath[1]))

    def _expression(self, expression: pst.Expr) -> bool:
        stack: list[object] = [expression]
        while stack:
            one = stack.pop()
            if one == _RESOURCE:
                return True
            if isinstance(one, pst.BinaryOp) and one.op == "in" and one.left == _RESOURCE:
                named = one.right.elements if isinstance(one.right, pst.Set) else (one.right,)
                literals = [each.value for each in named if isinstance(each, pst.EntityLit)]
                if len(literals) != len(named) or any(self._under(uid) for uid in literals):
                    return True
            elif isinstance(one, tuple):
                stack += one
            elif isinstance(one, dict):
                stack += one.values()
            else:
                stack += [getattr(one, name) for name in getattr(type(one), "__dataclass_fields__", ())]
        return False
