"""The operator's file: edited as little as possible, and always to what a generation holds."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.model import UnitRef
from remit.schemas.config import load_config
from remit.units.generations import wanted
from remit.units.generations.generation import ActiveUnit
from remit.units.generations.wanted import rewrite

TEXT = """\
schema = "home/v1"
# the first one matters
[[unit]]
id = "acme/a"  # why a
version = "^1"

[[unit]]
id = "acme/b"
version = "^1"
parameters = { mask = "*" }  # as the lawyers want it

# ==== routing: owned by team B
[document.routing]
base = { a = 1 }
"""


def active(name: str, **more: object) -> ActiveUnit:
    fields = {"range": "^1", "parameters": {"mask": "*"} if name == "b" else {}, "choices": {}, "pin": ""} | more
    ref = UnitRef(f"acme/{name}", "1.0.0", f"sha256:{name}", "config", "local")
    return ActiveUnit(ref=ref, slots=(), patches=(), **fields)


def rewritten(*units: ActiveUnit, text: str = TEXT) -> str:
    return rewrite(text, units, {}, load_config(text.encode()))


def listed(text: str) -> list[dict]:
    return tomllib.loads(text).get("unit", [])


def test_a_text_that_says_it_already_is_left_as_it_is():
    assert rewritten(active("a"), active("b")) == TEXT


def test_a_new_unit_stands_behind_the_others_and_before_the_next_section():
    text = rewritten(active("a"), active("b"), active("c"))
    assert [entry["id"] for entry in listed(text)] == ["acme/a", "acme/b", "acme/c"]
    assert text.index('"acme/c"') < text.index("# ==== routing") < text.index("[document.routing]")


@pytest.mark.parametrize("left", [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("c",), ("c", "a")])
def test_no_comment_of_another_section_is_lost_or_moved_from_it(left):
    text = rewritten(*map(active, left))
    assert [entry["id"] for entry in listed(text)] == [f"acme/{name}" for name in left]
    assert "# the first one matters" in text
    assert text.index("# ==== routing") < text.index("[document.routing]") or not left
    assert "# ==== routing: owned by team B" in text


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_any_list_becomes_any_other(before, after):
    first = rewritten(*map(active, before))
    second = rewritten(*map(active, after), text=first)
    assert [entry["id"] for entry in listed(second)] == [f"acme/{name}" for name in after]
    assert tomllib.loads(second)["document"] == {"routing": {"base": {"a": 1}}}
    assert rewritten(*map(active, after), text=second) == second


@given(
    st.dictionaries(st.text("ab-_.", min_size=1, max_size=4), st.one_of(st.text(), st.booleans(), st.integers(-9, 9))),
    st.booleans(),
)
def test_parameters_and_slots_are_said_as_they_are(parameters, chosen):
    unit = active("a", parameters=parameters, choices={"guard": chosen}, pin="sha256:" + "0" * 64)
    [entry] = listed(rewritten(unit))
    assert entry.get("parameters", {}) == parameters
    assert (entry["slots"], entry["pin"]) == ({"guard": chosen}, "sha256:" + "0" * 64)


# ---- entries edited where they stand ----

AWKWARD = '''\
schema = "home/v1"

[limits]
memory = "64MiB"

[[unit]]
id = "acme/a"

  [[ unit ]]  # indented
  id = "acme/b"
  parameters = { mask = "*" }

# of the parameters below
[[unit]]
id = "acme/c"
[unit.parameters]
list = [
[1],
]

[document.other]
base = { text = """
[[unit]]
id = "acme/nobody"
""" }
'''


def spliced_or_not(text: str, units: list[ActiveUnit], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A text as it is written where entries stand, and as it is written by reading the whole."""
    config = load_config(text.encode())
    quick = rewrite(text, units, {}, config)
    monkeypatch.setattr(wanted, "spliced", lambda *_: None)
    slow = rewrite(text, units, {}, config)
    monkeypatch.undo()
    return quick, slow


@pytest.mark.parametrize("text", [TEXT, AWKWARD])
@pytest.mark.parametrize("names", ["a", "b", "c", "ab", "abc", "abcd", "cab", "d", "acd", "abde"])
def test_both_ways_say_the_same_and_keep_every_comment(text, names, monkeypatch):
    quick, slow = spliced_or_not(text, [active(name) for name in names], monkeypatch)
    assert tomllib.loads(quick) == tomllib.loads(slow)
    assert [line for line in quick.splitlines() if line.startswith("# ")] == [
        line for line in slow.splitlines() if line.startswith("# ")
    ]


def test_one_entry_of_many_is_edited_and_every_other_byte_stays(monkeypatch):
    def whole(*_):
        raise AssertionError("the whole file was read to be written")

    text = 'schema = "home/v1"\n' + "".join(
        f'\n[[unit]]\nid  =  "acme/u{n}" # {n}\nversion = "^1"\n' for n in range(50)
    )
    units = [active(f"u{n}", range="^2" if n == 20 else "^1") for n in range(50)]
    parse = wanted.tomlkit.parse
    monkeypatch.setattr(wanted.tomlkit, "parse", lambda part: parse(part) if len(part) < 200 else whole())
    assert rewritten(*units, text=text) == text.replace('u20" # 20\nversion = "^1"', 'u20" # 20\nversion = "^2"')


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.data())
def test_whatever_goes_changes_or_comes_is_what_the_file_says(before, data):
    text = rewritten(*map(active, before), text=AWKWARD)
    kept = [name for name in before if data.draw(st.booleans())]
    new = [name for name in "ghi" if data.draw(st.booleans())]
    pins = {name: "sha256:" + "0" * 64 for name in kept if data.draw(st.booleans())}
    units = [active(name, pin=pins.get(name, "")) for name in [*kept, *new]]
    said = rewritten(*units, text=text)
    assert [(entry["id"], entry.get("pin", "")) for entry in listed(said)] == [(u.ref.id, u.pin) for u in units]
    assert {**tomllib.loads(said), "unit": []} == {**tomllib.loads(AWKWARD), "unit": []}
