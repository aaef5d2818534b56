"""Generations as the journal gives them back: what two have in common is one object, and nothing else changes by it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.journal import encode_json, inline
from remit.journal.event import Event, Record
from remit.kernel.model import UnitRef
from remit.units.generations.generation import GENESIS, ActiveUnit, DocumentSnapshot, Generation, GenerationsFold
from remit.units.manifest import Patch

# Values that Python takes for each other, and JSON does not.
values = st.sampled_from([True, 1, 1.0, False, 0, "1", None, [1], [True], {"a": 1}])
units = st.builds(
    lambda name, value: ActiveUnit(
        UnitRef(f"acme/{name}", "1.0.0", f"sha256:{name}", "config", "local"),
        "*",
        {"value": value},
        (),
        {},
        "",
        (Patch(target="assistant", op="merge", value={name: value}),),
    ),
    st.sampled_from("abc"),
    values,
)
histories = st.lists(st.tuples(st.lists(units, max_size=3, unique_by=lambda unit: unit.ref.id), values), max_size=5)


def made(history: list[tuple[list[ActiveUnit], Any]]) -> list[Generation]:
    return [
        msgspec.structs.replace(GENESIS, number=number, units=tuple(mine), documents={"d": DocumentSnapshot(base)})
        for number, (mine, base) in enumerate(history, 1)
    ]


def record(generation: Generation) -> Record:
    data = msgspec.json.decode(encode_json({"generation": generation}))
    event = Event(specversion="1.0", id="1", source="//home/kernel", type="unit.applied", time="", data=data)
    return Record(generation.number, generation.number, "main", b"", b"", event)


def folded(generations: list[Generation]) -> Any:
    fold = GenerationsFold()
    return fold.apply(fold.init(), [record(one) for one in generations], inline)


@given(histories)
def test_what_comes_back_says_what_was_written(history) -> None:
    written = made(history)
    assert encode_json(list(folded(written).by_number.values())) == encode_json([GENESIS, *written])


@given(histories)
def test_a_snapshot_gives_back_the_same(history) -> None:
    state, fold = folded(made(history)), GenerationsFold()
    again = fold.restore(fold.snapshot(state))
    assert encode_json(list(again.by_number.values())) == encode_json(list(state.by_number.values()))


@given(histories)
def test_what_stays_is_the_same_object_as_before_and_after_a_snapshot(history) -> None:
    fold = GenerationsFold()
    state = folded(made(history))
    for known in (state, fold.restore(fold.snapshot(state))):
        generations = list(known.by_number.values())
        for before, after in pairwise(generations):
            mine = {encode_json(unit): unit for unit in before.units}
            assert all(mine.get(encode_json(unit), unit) is unit for unit in after.units)
