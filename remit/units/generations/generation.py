"""Generations: immutable, numbered records of what is active, and the fold that reads them from the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from remit.errors import GenerationUnknown
from remit.journal import GENERATION_TOPICS, Reading, Record, digest_of, encode_json
from remit.kernel.model import Grant, UnitRef
from remit.units.generations.documents import fold
from remit.units.generations.experiments import Goldens
from remit.units.generations.terms import Terms
from remit.units.manifest import Patch

__all__ = ["GENESIS", "ActiveUnit", "DocumentSnapshot", "Generation", "Generations", "GenerationsFold", "Trial"]

T = TypeVar("T")


class ActiveUnit(msgspec.Struct, frozen=True):
    """One unit of a generation, with everything that decides what it does."""

    ref: UnitRef
    range: str
    """The version range that the operator wants, in npm's notation."""
    parameters: dict[str, Any]
    """As written in ``remit.toml``: ``${VAR}`` is not expanded."""
    slots: tuple[str, ...]
    """Slots that its actions fill."""
    choices: dict[str, bool]
    """The operator's word on slots, as in ``remit.toml``."""
    pin: str
    """The one digest that the operator allows, or ""."""
    patches: tuple[Patch, ...]
    """What it does to documents: its manifest's patches, or what its transform answered."""


class DocumentSnapshot(msgspec.Struct, frozen=True):
    """A document's declaration as it was when the generation was made."""

    base: Any
    schema: dict[str, Any] | None = None


class Trial(msgspec.Struct, frozen=True):
    """A version of an active unit that takes a share of its calls, on a branch of its state."""

    unit: ActiveUnit
    """The arm: the other one is the active unit of the same id."""
    terms: Terms
    since: int
    """The generation that it began with."""
    goldens: Goldens = Goldens()
    base_goldens: Goldens = Goldens()

    @property
    def id(self) -> str:
        """Its name, and its branch's: no two trials of a home have the same."""
        return f"{self.unit.ref.id}#{self.since}"


class Generation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is active. ``number`` 0 is the empty one that every home starts with."""

    number: int
    origin: int
    """The generation whose content this one has: its own number, or the one that a revert went back to."""
    at_ms: int
    author: str
    message: str
    units: tuple[ActiveUnit, ...]
    documents: dict[str, DocumentSnapshot]
    grants: tuple[Grant, ...]
    policy: str
    """Digest of the policies that decided the grants: a record, never a selection."""
    parent: str = ""
    """:attr:`digest` of the generation before; "" in what the first versions of remit wrote."""
    trials: tuple[Trial, ...] = ()
    """Other versions of units, beside the active ones."""

    @property
    def digest(self) -> str:
        """``sha256:…`` over all of it."""
        return digest_of(encode_json(self))

    @property
    def consents(self) -> dict[str, str]:
        """Who consented, by the id of the grant."""
        return {grant.id: grant.consent for grant in self.grants if grant.consent}

    def unit(self, unit_id: str) -> ActiveUnit | None:
        """The active unit with this id."""
        return next((unit for unit in self.units if unit.ref.id == unit_id), None)

    def trial(self, unit_id: str) -> Trial | None:
        """The trial of the unit with this id."""
        return next((trial for trial in self.trials if trial.unit.ref.id == unit_id), None)

    @property
    def running(self) -> tuple[ActiveUnit, ...]:
        """Everything that takes calls: the arms on trial, then the active units."""
        return (*(trial.unit for trial in self.trials), *self.units)

    def effective(self) -> dict[str, Any]:
        """Every effective document."""
        return {name: self.document(name) for name in self.documents}

    def document(self, name: str) -> Any:
        """One effective document: its base and the patches of the units in order."""
        patches = [(unit.ref.id, patch) for unit in self.units for patch in unit.patches if patch.target == name]
        return fold(self.documents[name].base, patches)

    def same_content(self, other: Generation) -> bool:
        """Whether both make the same things active (numbers, authors and policies aside)."""
        return (
            len(self.units) == len(other.units)
            and all(a is b or _same(a, b) for a, b in zip(self.units, other.units, strict=True))
            and _same((self.documents, self.grants, self.trials), (other.documents, other.grants, other.trials))
        )


def _same(one: object, other: object) -> bool:
    # As JSON: to Python, true and 1 are the same.
    return encode_json(one) == encode_json(other)


GENESIS = Generation(
    number=0, origin=0, at_ms=0, author="", message="empty", units=(), documents={}, grants=(), policy=""
)


class Generations(msgspec.Struct, frozen=True):
    """Every generation of a home by number; the last one is active."""

    by_number: Mapping[int, Generation] = msgspec.field(default_factory=lambda: {0: GENESIS})
    record: int = 0
    """The number of the record that made the newest; 0 for the empty one."""

    @property
    def active(self) -> Generation:
        """The newest."""
        return self.by_number[max(self.by_number)]

    def get(self, number: int) -> Generation:
        """One generation.

        :raises GenerationUnknown: if there is none with that number
        """
        try:
            return self.by_number[number]
        except KeyError:
            raise GenerationUnknown(f"there is no generation {number}; the newest is {max(self.by_number)}") from None


class _Stored(msgspec.Struct, frozen=True):
    """All generations with what they share written once: the units and documents of each are places in the lists."""

    units: list[ActiveUnit]
    documents: list[DocumentSnapshot]
    generations: list[tuple[Generation, list[int], dict[str, int]]]
    """Each without its units and documents, and where those are."""
    record: int


class _Said(msgspec.Struct, frozen=True):
    """A generation as a record has it, its units and documents as they are written there.

    The journal writes JSON in one form, so what says the same is written the same.
    """

    number: int
    origin: int
    at_ms: int
    author: str
    message: str
    units: tuple[msgspec.Raw, ...]
    documents: dict[str, msgspec.Raw]
    grants: tuple[Grant, ...]
    policy: str
    parent: str = ""
    trials: tuple[Trial, ...] = ()


class _Applied(msgspec.Struct, frozen=True):
    generation: _Said


_Parts = tuple[dict[bytes, ActiveUnit], dict[bytes, DocumentSnapshot]]
"""Units and documents by how they are written."""


class GenerationsFold:
    """Folds ``unit.applied`` and ``unit.reverted``, whose payload holds the generation.

    What a generation has in common with the one before it is the same object: a home keeps every generation, and most
    of a thousand units stay as they are.
    """

    name = "generations"
    version = 3
    topics: tuple[str, ...] = GENERATION_TOPICS

    def init(self) -> Generations:
        """Only the empty generation."""
        return Generations()

    def __init__(self) -> None:
        self._written: tuple[Generation, _Parts] | None = None
        """The generation that was read last, by what its record says: the next one says most of it again."""

    def apply(self, state: Generations, records: Sequence[Record], data: Reading) -> Generations:
        """Add the generations of these records."""
        added: dict[int, Generation] = {}
        before, last = state.active, state.record
        for record in records:
            if record.from_kernel:
                written = self._written
                known = written[1] if written is not None and written[0] is before else _parts(before)
                before, parts = _generation(data(record, _Applied).generation, known)
                self._written = (before, parts)
                added[before.number] = before
                last = record.seq
        return Generations({**state.by_number, **added}, last) if added else state

    def snapshot(self, state: Generations) -> bytes:
        """All generations as JSON."""
        units, documents = _Places[ActiveUnit](), _Places[DocumentSnapshot]()
        stored = [
            (
                msgspec.structs.replace(generation, units=(), documents={}),
                [units.of(unit) for unit in generation.units],
                {name: documents.of(snapshot) for name, snapshot in generation.documents.items()},
            )
            for generation in state.by_number.values()
        ]
        return msgspec.json.encode(_Stored(units.items, documents.items, stored, state.record))

    def restore(self, data: bytes) -> Generations:
        """What :meth:`snapshot` wrote."""
        stored = msgspec.json.decode(data, type=_Stored)
        return Generations(
            {
                generation.number: msgspec.structs.replace(
                    generation,
                    units=tuple(stored.units[at] for at in units),
                    documents={name: stored.documents[at] for name, at in documents.items()},
                )
                for generation, units, documents in stored.generations
            },
            stored.record,
        )

    def view(self, state: Generations) -> object:
        """A line for each generation, oldest first."""
        return [
            {
                "number": generation.number,
                "origin": generation.origin,
                "at_ms": generation.at_ms,
                "author": generation.author,
                "message": generation.message,
                "units": [f"{unit.ref.id}@{unit.ref.version}" for unit in generation.units],
                "grants": len(generation.grants),
                "trials": [f"{one.unit.ref.id}@{one.unit.ref.version}" for one in generation.trials],
            }
            for _, generation in sorted(state.by_number.items())
        ]


class _Places(Generic[T]):
    """A list without repetitions of the same object, and where each is in it."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._at: dict[int, int] = {}

    def of(self, item: T) -> int:
        """The place of an object, which is added where it is new. It must live as long as this."""
        at = self._at.setdefault(id(item), len(self.items))
        if at == len(self.items):
            self.items.append(item)
        return at


def _parts(generation: Generation) -> _Parts:
    units = {encode_json(unit): unit for unit in generation.units}
    documents = {encode_json(snapshot): snapshot for snapshot in generation.documents.values()}
    return units, documents


def _generation(said: _Said, known: _Parts) -> tuple[Generation, _Parts]:
    """A generation as its record has it, made of known objects where they say the same; and its own parts."""
    units, documents = known
    listed = {
        written: units.get(written) or msgspec.json.decode(written, type=ActiveUnit)
        for written in map(bytes, said.units)
    }
    named = {name: bytes(written) for name, written in said.documents.items()}
    declared = {
        written: documents.get(written) or msgspec.json.decode(written, type=DocumentSnapshot)
        for written in named.values()
    }
    fields = {name: getattr(said, name) for name in said.__struct_fields__}
    fields["units"] = tuple(listed[bytes(written)] for written in said.units)
    fields["documents"] = {name: declared[written] for name, written in named.items()}
    return Generation(**fields), (listed, declared)
