"""What pure functions over units answered before: a plan that is made again costs what moved since.

An answer is kept with the very objects that it was made from, and given again where the same objects are asked about.
They never change, so neither does the answer; what may change (policies, the environment, files, the clock) is never
among them. See ``docs/adr/0035-a-plan-recalls-what-cannot-have-changed.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import is_
from typing import Any, TypeVar

from remit.journal import encode_json
from remit.units.generations.generation import ActiveUnit, Generation

__all__ = ["Recall", "running_or"]

T = TypeVar("T")

_ANSWERS = 4
"""Kept for each question: the active generation's, the plan's, and those of the plan before."""
_QUESTIONS = 64
"""More come of names that change: those of documents."""
_ENTRIES = 1 << 14


class Recall:
    """The answers of one home's planner. Not for many threads: plans are made one at a time."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, list[tuple[tuple[object, ...], Any]]] = {}
        self._entries: dict[Hashable, ActiveUnit] = {}

    def of(self, question: Hashable, objects: Sequence[object], answer: Callable[[], T]) -> T:
        """The answer to a question about these objects: they, and they alone, decide it; it is not to be changed.

        :param question: with the names in it, which are equal or not; objects are the same or not
        """
        if len(self._answers) >= _QUESTIONS:
            self._answers.clear()
        kept = self._answers.setdefault(question, [])
        for asked, known in kept:
            if len(asked) == len(objects) and all(map(is_, asked, objects)):
                found: T = known
                return found
        made = answer()
        kept.insert(0, (tuple(objects), made))
        del kept[_ANSWERS:]
        return made

    def entry(self, key: Hashable, running: ActiveUnit | None, make: Callable[[], ActiveUnit]) -> ActiveUnit:
        """The entry that a key decides: the running one, where that says the same."""
        known = self._entries.get(key)
        if known is None or known is not running:
            known = running_or(running, known or make())
            if len(self._entries) >= _ENTRIES:
                self._entries.clear()
            self._entries[key] = known
        return known

    def adopt(self, before: Generation, after: Generation) -> None:
        """Know a generation's objects by those of one that says the same: it comes back from the journal as another."""
        others = {id(old): new for old, new in zip(_parts(before), _parts(after), strict=True) if old is not new}
        if others:
            for kept in self._answers.values():
                kept[:] = [(_with(asked, others), answer) for asked, answer in kept]


def _with(asked: tuple[object, ...], others: Mapping[int, object]) -> tuple[object, ...]:
    if others.keys().isdisjoint(map(id, asked)):
        return asked
    return tuple(others.get(id(one), one) for one in asked)


def _parts(generation: Generation) -> list[object]:
    return [*generation.units, *(snapshot.base for snapshot in generation.documents.values())]


def running_or(running: ActiveUnit | None, entry: ActiveUnit) -> ActiveUnit:
    """The running entry where it says the same as this one, which is the common case among a thousand units."""
    if running is None or encode_json(running) != encode_json(entry):
        return entry
    return running
