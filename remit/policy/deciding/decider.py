"""From Cedar's answer to ours: allow, ask or deny, and whatever is odd is a deny that says so.

Cedar skips a policy that fails to evaluate, so that a broken forbid reads as an allow; it has a third answer for
requests that it cannot judge. Here both are denials. ``ask`` is not a word of Cedar: it is a deny that would be allowed
if, and only if, a person had approved.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from remit.journal.event import encode_json
from remit.kernel.model import Decision
from remit.policy.deciding.places import PLACES, visible
from remit.policy.sets.engine import Answer, Engine, Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from remit.policy.deciding.requests import Request
    from remit.policy.sets.slices import Parents

__all__ = ["Decider"]

_MEMO = 4_096
_REFUSED = (ValueError, TypeError, KeyError, OverflowError)
"""How the binding refuses malformed entities and values; its text quotes them, so it ends here."""
_NO_ANSWER = Decision("deny", reason="policy has no answer: the request does not follow the Cedar schema")


class Decider:
    """Decides requests under one engine, and remembers: a decision is a pure function of the request's parts.

    More than that: Cedar can compare entities and walk their hierarchy, but not read their ids. So a decision stays the
    same when an entity that no policy names is called otherwise throughout the request. Files and topics that policies
    cannot tell apart are therefore decided once. Safe to share between threads.

    :param between: called before each work of Cedar's, where decisions are long work that others shall not notice
    """

    def __init__(self, engine: Engine, between: Callable[[], None] | None = None) -> None:
        self.engine = engine
        self._between = between
        self._memo: dict[bytes, Decision] = {}

    def decide(self, request: Request) -> Decision:
        """Policy's answer. Never raises for what a request contains."""
        try:
            shown, parents = visible(request, self.engine.named)
            entities, asked = encode_json(shown), _asked(request)
            key = hashlib.sha256(self._without_names(asked, entities, parents)).digest()
        except (TypeError, ValueError, OverflowError, RecursionError):
            return Decision("deny", reason="the request cannot be written as JSON")
        known = self._memo.get(key)
        if known is None:
            known = self._decide(request, asked, entities, parents)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[key] = known
        return known

    def remembered(self) -> list[Decision]:
        """The decisions that would not be made again."""
        return list(self._memo.values())

    def _without_names(self, asked: dict[str, Any], entities: bytes, parents: Parents | None) -> bytes:
        """The request as JSON, where what no policy names is told by its place among the entities alone."""
        about = encode_json([asked["principal"], asked["action"], asked["resource"]])
        text, named = b"[%b,%b,%b]" % (about, asked["context"].encode(), entities), self.engine.named
        if named is None or parents is None:
            return text
        for place, (kind, name) in enumerate(parents):
            if kind in PLACES and (kind, name) not in named:
                uid = b'{"id":%b,"type":"%b"}' % (encode_json(name), kind.encode())
                text = text.replace(uid, b"{%d}" % place)  # which is no JSON: it stands for nothing else
        return text

    def _decide(self, request: Request, asked: dict[str, Any], entities: bytes, parents: Parents | None) -> Decision:
        if self._between is not None:
            self._between()
        try:
            facts = self.engine.written(entities, parents)
        except _REFUSED:
            return _NO_ANSWER
        answer = self._ask(asked, facts)
        if answer.decision == "none":
            return _NO_ANSWER
        if answer.errors:
            failed = ", ".join(answer.errors)
            return Decision("deny", answer.errors, f"policy failed to evaluate ({failed}), which counts as a denial")
        if answer.decision == "allow":
            return Decision("allow", answer.reasons, self._why(answer.reasons))
        if answer.reasons:
            return Decision("deny", answer.reasons, self._why(answer.reasons))
        lease = request.context.get("lease")
        if isinstance(lease, dict) and lease.get("approved") is False:
            context = encode_json(request.context | {"lease": lease | {"approved": True}}).decode()
            approved = self._ask(asked | {"context": context}, facts)
            if approved.decision == "allow" and not approved.errors:
                return Decision("ask", approved.reasons, self._why(approved.reasons))
        return Decision("deny", reason="no policy permits it")

    def _ask(self, asked: dict[str, Any], facts: Facts) -> Answer:
        try:
            if self._between is not None:
                self._between()
                self.engine.prepare(asked, facts)
                self._between()
            return self.engine.authorize(asked, facts)
        except _REFUSED:
            return Answer("none")

    def _why(self, policies: Iterable[str]) -> str:
        return "; ".join(self.engine.annotation(policies, "why"))


def _asked(request: Request) -> dict[str, Any]:
    """The request as the engine takes it, its context written once for the key and for Cedar."""
    return request.cedar() | {"context": encode_json(request.context).decode()}
