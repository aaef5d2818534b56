"""Reactions: what ``[[on]]`` makes of a generation. Which topics its units hear, and the events as a handler gets them.

When, how often and in which order events are delivered is not decided here: see ``remit.host.delivery``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remit.errors import RemitError
from remit.journal import Record, encode_json
from remit.kernel.model import Action, Caller, Grant
from remit.schemas.config import Config
from remit.units.generations.generation import ActiveUnit, Generation
from remit.units.manifest import Manifest, Subscription
from remit.units.planning.resolution import parameters_of, program_of
from remit.units.stock.installed import Library

__all__ = ["Reaction", "event_argument", "lasting_reactions", "reacting", "reactions_of"]


class Reaction(msgspec.Struct, frozen=True):
    """One unit's reaction to one topic."""

    unit: ActiveUnit
    on: Subscription

    @property
    def name(self) -> str:
        """The durable subscription that it has, if it is ``background``."""
        return f"{self.unit.ref.id}:{self.on.topic}"

    def action(self, library: Library, config: Config) -> Action:
        """What the dispatcher runs.

        :raises RemitError: if the unit's files or variables are missing
        """
        digest = self.unit.ref.digest
        manifest, artifact = library.manifest(digest), library.artifact(digest) or ""
        return Action(
            name=f"{self.unit.ref.id}:on.{self.on.topic}",  # no action is called so: their names hold no dot
            program=program_of(self.unit, manifest, artifact, config),
            input=None,
            output=None,
            parameters=msgspec.json.encode(parameters_of(self.unit, manifest)).decode(),
            topic=self.on.topic,
        )


def reacting(reaction: Reaction, generation: Generation, library: Library, config: Config) -> Action:
    """What the dispatcher runs for a reaction: of a unit on trial, the arm that the event's episode is on.

    :raises RemitError: if the unit's files or variables are missing
    """
    action = reaction.action(library, config)
    trial = generation.trial(reaction.unit.ref.id)
    if trial is None:
        return action
    base = arm = msgspec.structs.replace(action, trial=trial.id)
    if any(on.topic == reaction.on.topic for on in library.manifest(trial.unit.ref.digest).on):
        tried = Reaction(trial.unit, reaction.on).action(library, config)
        arm = msgspec.structs.replace(tried, trial=trial.id, branch=trial.id)

    def choose(_reference: str, caller: Caller) -> Action:
        return arm if trial.terms.takes(trial.id, caller) else base

    return msgspec.structs.replace(base, arms=choose)


_WITHOUT = frozenset({"config", "transform"})
"""Kinds whose manifests may not have ``[[on]]``."""


def reactions_of(generation: Generation, manifest: Callable[[str], Manifest]) -> list[Reaction]:
    """Every reaction of a generation. A unit whose files are gone has none: its calls say why."""
    found = []
    for unit in generation.units:
        if unit.ref.kind in _WITHOUT:  # reading a thousand manifests takes longer than the rest of a start
            continue
        try:
            found += [Reaction(unit, on) for on in manifest(unit.ref.digest).on]
        except RemitError:
            continue
    return found


def lasting_reactions(generation: Generation, manifest: Callable[[str], Manifest]) -> list[dict[str, Any]]:
    """The reactions that keep a cursor in the journal, as the generation's record has them: granted ones only."""
    return [
        {"unit": one.unit.ref.id, "topic": one.on.topic, "attempts": one.on.attempts}
        for one in reactions_of(generation, manifest)
        if one.on.qos == "background" and _heard(one, generation.grants)
    ]


def _heard(reaction: Reaction, grants: Sequence[Grant]) -> bool:
    topic = reaction.on.topic
    return any(
        grant.unit.id == reaction.unit.ref.id
        and grant.capability.action == "events:subscribe"
        and f"{topic}.".startswith(f"{grant.capability.resource}.")
        for grant in grants
    )


def event_argument(record: Record, data: Any, *, attempt: int) -> dict[str, Any]:
    """An event as the WIT's record ``event``: JSON data as text, other text as it is, the hops that are left."""
    event = record.event
    plain = isinstance(data, str) and event.datacontenttype != "application/json"
    return {
        "id": event.id,
        "topic": event.type,
        "source": event.source,
        "subject": event.subject,
        "time-ms": int(datetime.fromisoformat(event.time).timestamp() * 1_000),
        "content-type": event.datacontenttype,
        "data": data if plain else "" if data is None else encode_json(data).decode(),
        "correlation-id": event.correlationid,
        "causation-id": event.causationid,
        "reply-to": event.replyto,
        "hops": max(0, event.hops - 1),
        "priority": event.priority,
        "trace-parent": event.traceparent,
        "attempt": attempt,
    }
