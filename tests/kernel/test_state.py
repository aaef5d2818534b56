"""A unit's keys: what a call reads of its own writes, what commits, and every version as of any record."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from remit.errors import EventInvalid, QuotaExceeded, SourceReserved, StateConflict
from remit.journal import Draft
from remit.journal.effects import Effects
from remit.journal.unitstate import StateTable, Write, rebuild
from remit.kernel.model import Limits
from tests.journal.simulators import SimIds
from tests.kernel.simulators import World

KEYS = st.sampled_from(["a", "ab", "é", "\U0001f600", "a\x00b", "a\x00"])
PREFIXES = st.sampled_from(["", "", "a", "ab", "é", "a\x00", "q", "_", "%"])


class Calls(RuleBasedStateMachine):
    """Several calls of one unit, one after another, against a plain dict; some of them trap at the end."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name) / "journal")
        self.committed = {}  # key -> (value or None, version)
        self.history = [(1, {})]  # (record, live keys)
        self.begin()

    def begin(self):
        self.effects = None
        self.model = dict(self.committed)
        self.touched = set()
        self.steps = []

    def expected_version(self, key):
        _, version = self.model.get(key, (None, 0))
        return version if key in self.touched else version + 1

    @rule(key=KEYS, value=st.text(max_size=6), expect=st.sampled_from(["none", "right", "wrong"]))
    def put(self, key, value, expect):
        current, version = self.model.get(key, (None, 0))
        live = 0 if current is None else version
        expected = {"none": None, "right": live, "wrong": live + 1}[expect]
        if expect == "wrong":
            self.steps.append(("put", (key, value, expected), "conflict"))
            return
        number = self.expected_version(key)
        self.model[key] = (value, number)
        self.touched.add(key)
        self.steps.append(("put", (key, value, expected), number))

    @rule(key=KEYS)
    def delete(self, key):
        current, _ = self.model.get(key, (None, 0))
        if current is not None:
            self.model[key] = (None, self.expected_version(key))
            self.touched.add(key)
        self.steps.append(("delete", (key,), current is not None))

    @rule(key=KEYS)
    def get(self, key):
        value, version = self.model.get(key, (None, 0))
        self.steps.append(("get", (key,), None if value is None else (value, version)))

    @rule(prefix=PREFIXES, after=st.just("") | KEYS, limit=st.integers(1, 12))
    def list(self, prefix, after, limit):
        live = sorted(k for k, (v, _) in self.model.items() if v is not None and k.startswith(prefix) and k > after)
        self.steps.append(("list", (prefix, after, limit), live[:limit]))

    @precondition(lambda self: self.steps)
    @rule(trap=st.booleans())
    def run(self, trap):
        steps = self.steps

        def body(guest):
            for function, arguments, expected in steps:
                answer = guest.host("state", function, *arguments)
                found = answer.value if hasattr(answer, "value") else answer.code
                assert found == expected, (function, arguments, found, expected)
            if trap:
                raise StateConflict("the guest gives up")

        self.world.offer("acme/unit:run", body)
        if trap:
            with pytest.raises(StateConflict, match="gives up"):
                self.world.call("acme/unit:run")
        else:
            outcome = self.world.call("acme/unit:run")
            self.committed = self.model
            self.history.append((outcome.seq, {k: v for k, v in self.committed.items() if v[0] is not None}))
        self.begin()

    @invariant()
    def table_is_what_was_committed(self):
        table = StateTable(self.world.journal, "main", "acme/unit")
        for key, entry in self.committed.items():
            assert table.get(key) == entry
        live = {key: entry for key, entry in self.committed.items() if entry[0] is not None}
        assert table.keys("", "", 100) == sorted(live)
        assert table.size() == sum(len(key.encode()) + len(value.encode()) for key, (value, _) in live.items())

    def teardown(self):
        if not hasattr(self, "world"):
            return
        table = StateTable(self.world.journal, "main", "acme/unit")
        for number, (seq, live) in enumerate(self.history):
            until = self.history[number + 1][0] - 1 if number + 1 < len(self.history) else self.world.journal.head.seq
            for at in {seq, until}:
                assert table.keys("", "", 100, at=at) == sorted(live)
                for key, (value, version) in live.items():
                    assert table.get(key, at=at) == (value, version)
        rows = _rows(self.world)
        assert sorted(rebuild(self.world.journal), key=str) == sorted(rows, key=str)
        self.world.journal.close()
        self.folder.cleanup()


def _rows(world):
    return world.journal.execute("SELECT namespace, unit, branch, key, version, seq, value FROM unit_state")


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


@pytest.fixture
def effects(world):
    """Makes the buffer of a fresh call."""

    def make(**limits):
        return Effects(StateTable(world.journal, "main", "acme/unit"), "//h/unit/u", Limits(**limits), SimIds("EV"))

    return make


def _stored(world, *keys):
    world.offer("acme/unit:fill", lambda guest: [guest.put(key, "stored").value for key in keys])
    world.call("acme/unit:fill")


def test_a_listing_merges_what_is_stored_with_what_this_call_wrote_and_deleted(world, effects):
    _stored(world, "a", "c", "e", "g")
    buffer = effects()
    buffer.delete("c")
    buffer.put("b", "new", None)
    buffer.put("e", "newer", None)
    assert buffer.list("", "", 10) == ["a", "b", "e", "g"]
    assert buffer.list("", "b", 10) == ["e", "g"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_keys_that_this_call_deleted_take_no_place_in_a_listing(world, effects, limit):
    _stored(world, "a", "b", "c", "d", "e")
    buffer = effects()
    buffer.delete("a")
    buffer.delete("b")
    assert buffer.list("", "", limit) == ["c", "d", "e"][:limit]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("a", ["a", "a\x00", "a\x00b", "ab"]),
        ("a\x00", ["a\x00", "a\x00b"]),
        ("é", ["é", "éa"]),
        ("%", []),
        ("_", []),
        ("", None),
    ],
)
def test_a_prefix_is_compared_letter_by_letter(world, prefix, found):
    keys = ["a", "a\x00", "a\x00b", "ab", "b", "é", "éa", "\U0001f600", "\uffff"]
    _stored(world, *reversed(keys))
    table = StateTable(world.journal, "main", "acme/unit")
    assert table.keys(prefix, "", 100) == (sorted(keys) if found is None else found)


def test_namespaces_and_units_do_not_see_each_other(world):
    world.offer("acme/one:put", lambda guest: guest.put("key", "one").value)
    world.offer("acme/two:get", lambda guest: guest.get("key"))
    world.offer("acme/one:get", lambda guest: guest.get("key"))
    world.call("acme/one:put")
    assert world.call("acme/two:get").output is None
    assert world.call("acme/one:get", namespace="other").output is None
    assert world.call("acme/one:get").output == ["one", 1]
    world.call("acme/one:put", namespace="other")
    assert {row[0] for row in rebuild(world.journal)} == {"main", "other"}


def test_state_survives_a_restart(world):
    world.offer("acme/one:put", lambda guest: guest.put("key", str(guest.input)).value)
    world.call("acme/one:put", 1)
    world.reopen()
    assert world.call("acme/one:put", 2).output == 2
    table = StateTable(world.journal, "main", "acme/one")
    assert [table.get("key", at=seq) for seq in range(4)] == [(None, 0), (None, 0), ("1", 1), ("2", 2)]


def test_writes_of_one_key_in_a_call_are_one_version(effects):
    buffer = effects()
    assert [buffer.put("key", value, None) for value in "abc"] == [1, 1, 1]
    assert buffer.writes == [Write("key", 1, "c")]


def test_a_put_that_expects_another_version_conflicts(effects):
    buffer = effects()
    with pytest.raises(StateConflict):
        buffer.put("key", "a", 1)
    buffer.put("key", "a", 0)
    with pytest.raises(StateConflict):
        buffer.put("key", "b", 0)
    assert buffer.get("key") == ("a", 1)


@pytest.mark.parametrize("value", ["abcd", "éé"])
def test_state_has_a_quota_in_bytes(effects, value):
    buffer = effects(state=10)
    buffer.put("k1", value, None)
    with pytest.raises(QuotaExceeded):
        buffer.put("k2", value, None)
    buffer.delete("k1")
    buffer.put("k2", value, None)
    assert [write.key for write in buffer.writes if write.value is not None] == ["k2"]


def test_the_quota_counts_what_other_calls_left(world):
    world.offer("acme/one:put", lambda guest: getattr(guest.put(guest.input, "x" * 8), "code", "ok"),
                limits=Limits(state=20))  # fmt: skip
    assert [world.call("acme/one:put", key).output for key in ("k1", "k2", "k3", "k1")] == [
        "ok",
        "ok",
        "exhausted",
        "ok",
    ]


def test_effects_are_bounded_in_number(effects):
    buffer = effects(effects=3)
    buffer.put("a", "1", None)
    buffer.emit("a.b", "text/plain", "x")
    buffer.put("b", "1", None)
    for refused in (lambda: buffer.put("c", "1", None), lambda: buffer.emit("a.b", "text/plain", "x")):
        with pytest.raises(QuotaExceeded):
            refused()
    assert (len(buffer.writes), len(buffer.events)) == (2, 1)


@pytest.mark.parametrize("text", ["x" * 101, "é" * 51])
def test_effects_are_bounded_in_bytes(effects, text):
    for act in (lambda buffer: buffer.put("k", text, None), lambda buffer: buffer.emit("a.b", "text/plain", text)):
        buffer = effects(effect_bytes=100)
        with pytest.raises(QuotaExceeded):
            act(buffer)
        assert (buffer.writes, buffer.events) == ([], [])


def test_topics_are_checked_when_they_are_said(effects):
    buffer = effects()
    with pytest.raises(SourceReserved):
        buffer.emit("lease.given", "text/plain", "")
    with pytest.raises(EventInvalid):
        buffer.emit("nothing", "text/plain", "")
    assert buffer.events == []


def test_a_foreign_event_that_looks_like_an_outcome_moves_no_state(world):

    with pytest.raises(SourceReserved):
        world.journal.append([Draft(type="action.completed", source="//h/client/1", data={"writes": "sha256:0"})])
    assert rebuild(world.journal) == []
