"""Durable subscriptions as a fold of the journal: where each stands, what it retries, and its dead letters.

Every decision about a delivery is in a ``bus.settled`` record: outcome, attempts, when it is due again, and a position,
up to which everything that was wanted has been decided. What waits for a retry or died is kept by number beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from remit.journal import GENERATION_TOPICS, Filter, Reading, Record

__all__ = [
    "DEFAULT_ATTEMPTS",
    "Dead",
    "Durable",
    "Durables",
    "Retry",
    "Settled",
    "SubscriptionsFold",
    "replay",
    "settle",
]

DEFAULT_ATTEMPTS = 5
_MOST_DEAD = 10_000
_SHOWN = 100


class Settled(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one delivery."""

    seq: int
    outcome: Literal["done", "retry", "dead"]
    attempts: int = 1
    due_ms: int = 0
    """When it is tried again (Unix milliseconds)."""
    code: str = ""
    message: str = ""


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A delivery that is tried again."""

    attempts: int
    due_ms: int
    code: str = ""
    message: str = ""


class Dead(msgspec.Struct, frozen=True):
    """A dead letter: an event that could not be delivered."""

    attempts: int
    code: str
    message: str
    time: str
    """When it was given up (RFC 3339)."""


class Durable(msgspec.Struct, frozen=True):
    """One durable subscription. Up to ``position`` every event was decided; some of them wait in ``retrying``."""

    name: str
    kind: Literal["reaction", "queue"]
    wanted: Filter
    attempts: int
    position: int
    done: frozenset[int] = frozenset()
    """Events after ``position`` that are settled for good."""
    retrying: Mapping[int, Retry] = {}
    dead: Mapping[int, Dead] = {}
    delivered: int = 0
    retried: int = 0
    buried: int = 0

    def decided(self, seq: int) -> bool:
        """Whether an event needs no delivery any more, or waits for its retry."""
        return seq <= self.position or seq in self.done or seq in self.retrying or seq in self.dead


def settle(state: Durable, position: int, settled: Sequence[Settled], time: str) -> Durable:
    """The state after these decisions."""
    done, retrying, dead = set(state.done), dict(state.retrying), dict(state.dead)
    counts = {"done": 0, "retry": 0, "dead": 0}
    for one in settled:
        counts[one.outcome] += 1
        retrying.pop(one.seq, None)
        if one.outcome == "retry":
            retrying[one.seq] = Retry(one.attempts, one.due_ms, one.code, one.message)
        elif one.outcome == "dead":
            dead[one.seq] = Dead(one.attempts, one.code, one.message, time)
        if one.outcome != "retry":
            done.add(one.seq)
    position = max(position, state.position)
    for old in list(dead)[: max(0, len(dead) - _MOST_DEAD)]:
        del dead[old]
    return msgspec.structs.replace(
        state,
        position=position,
        done=frozenset(seq for seq in done if seq > position),
        retrying=retrying,
        dead=dead,
        delivered=state.delivered + counts["done"],
        retried=state.retried + counts["retry"],
        buried=state.buried + counts["dead"],
    )


def replay(state: Durable, seqs: Sequence[int]) -> Durable:
    """The state after dead letters were put back, with all their attempts before them."""
    dead = {seq: one for seq, one in state.dead.items() if seq not in set(seqs)}
    again = {seq: Retry(0, 0) for seq in seqs if seq in state.dead}
    return msgspec.structs.replace(state, dead=dead, retrying={**state.retrying, **again})


class _Active(msgspec.Struct, frozen=True):
    """What this fold reads of a generation that becomes active."""

    reactions: tuple[dict[str, Any], ...] = ()


class Durables(msgspec.Struct, frozen=True):
    """Every durable subscription by name."""

    by_name: Mapping[str, Durable] = {}


class SubscriptionsFold:
    """Folds ``bus.*``, and the reactions that each generation has."""

    name = "subscriptions"
    version = 1
    topics: tuple[str, ...] = ("bus.subscribed", "bus.unsubscribed", "bus.settled", "bus.replayed", *GENERATION_TOPICS)

    def init(self) -> Durables:
        """Nobody subscribed."""
        return Durables()

    def apply(self, state: Durables, records: Sequence[Record], data: Reading) -> Durables:
        """Follow the records."""
        found = dict(state.by_name)
        for record in records:
            if record.from_kernel and record.event.type in GENERATION_TOPICS:
                _react(found, data(record, _Active).reactions, record.seq)
            elif record.from_kernel:
                _follow(found, record, data(record))
        return Durables(found)

    def snapshot(self, state: Durables) -> bytes:
        """The subscriptions as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Durables:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Durables)

    def view(self, state: Durables) -> object:
        """Each subscription with its counters, what it retries and its newest dead letters."""
        return [
            {
                "name": one.name,
                "kind": one.kind,
                "wanted": msgspec.to_builtins(one.wanted),
                "attempts": one.attempts,
                "position": one.position,
                "delivered": one.delivered,
                "retried": one.retried,
                "buried": one.buried,
                "retrying": [{"seq": seq} | msgspec.to_builtins(retry) for seq, retry in _newest(one.retrying)],
                "dead": [{"seq": seq} | msgspec.to_builtins(dead) for seq, dead in _newest(one.dead)],
            }
            for _, one in sorted(state.by_name.items())
        ]


def _newest(entries: Mapping[int, Any]) -> list[tuple[int, Any]]:
    return sorted(entries.items())[-_SHOWN:]


def _follow(found: dict[str, Durable], record: Record, facts: Any) -> None:
    match record.event.type:
        case "bus.subscribed":
            found[facts["name"]] = Durable(
                facts["name"], "queue", msgspec.convert(facts["wanted"], Filter), facts["attempts"], facts["position"]
            )
        case "bus.unsubscribed":
            found.pop(facts["name"], None)
        case "bus.settled" if facts["subscription"] in found:
            settled = msgspec.convert(facts["settled"], list[Settled])
            before = found[facts["subscription"]]
            found[before.name] = settle(before, facts["position"], settled, record.event.time)
        case "bus.replayed" if facts["subscription"] in found:
            found[facts["subscription"]] = replay(found[facts["subscription"]], facts["seqs"])


def _react(found: dict[str, Durable], reactions: Sequence[Mapping[str, Any]], seq: int) -> None:
    """A reaction that is new begins here; one that stays keeps its place; one that is gone takes its letters along."""
    wanted = {f"{one['unit']}:{one['topic']}": one for one in reactions}
    for name in [one.name for one in found.values() if one.kind == "reaction" and one.name not in wanted]:
        del found[name]
    for name, one in wanted.items():
        if name in found:
            found[name] = msgspec.structs.replace(found[name], attempts=one["attempts"])
        else:
            found[name] = Durable(name, "reaction", Filter(topics=(one["topic"],)), one["attempts"], seq)
