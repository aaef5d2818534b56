"""Mending manifests: what has one meaning is put right, what could mean several things stays a fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ManifestInvalid
from remit.units.manifest import parse
from remit.units.manifest.mending import mended

GOOD = """# what it does
schema = "unit/v1"
id = "acme/thing"
version = "1.2.0"
kind = "tool"

[runtime]
artifact = "thing.wasm" # made by the build
memory = "4MiB"

[[action]]
name = "go"
idempotent = true

[[action]]
name = "stop"

[[test]]
action = "go"
input = 1
expect = 1

[[capability]]
action = "net:http"
resource = "https://a.example"
reason = "to look"
"""


def faults(text):
    try:
        parse(text.encode())
    except ManifestInvalid as error:
        return {(fault["path"], fault["message"]) for fault in error.details["faults"]}
    return set()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('schema = "unit/v1"', 'schema = "unit/1"'),
        ('version = "1.2.0"', 'version = "v1.2"'),
        ('version = "1.2.0"', "version = 1.2"),
        ('id = "acme/thing"', 'id = "Acme/Thing"'),
        ('kind = "tool"', 'kind = "tol"'),
        ("[runtime]", "[runtme]"),
        ('memory = "4MiB"', 'memroy = "4MiB"'),
        ("[[action]]", "[[actions]]"),
        ('name = "stop"', 'nam = "stop"'),
        ('action = "go"', 'action = "goo"'),
        ('reason = "to look"', 'reasn = "to look"'),
    ],
)  # fmt: skip
def test_a_slip_is_put_right_and_nothing_else_changes(right, wrong):
    text, mends = mended(GOOD.replace(right, wrong))
    assert text == GOOD
    assert mends


@pytest.mark.parametrize("line", ['schema = "unit/v1"\n', 'kind = "tool"\n'])
def test_what_is_missing_and_certain_is_put_in_front(line):
    text, [mend] = mended(GOOD.replace(line, ""))
    assert text == line + GOOD.replace(line, "")
    assert (mend.was, faults(text)) == ("", set())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('action = "net:http"', 'action = "net:htp"'),
        ('resource = "https://a.example"', 'resource = "a.example"'),
        ('memory = "4MiB"', 'memory = "4MB"'),
        ('version = "1.2.0"', 'version = "newest"'),
        ('id = "acme/thing"', 'id = "thing"'),
        ("idempotent = true", "retries = 4"),
        ('memory = "4MiB"', 'memory = "4MiB"\nmemroy = "8MiB"'),
        ("[runtime]", "[runtime"),
    ],
)
def test_what_could_mean_several_things_stays_as_the_author_wrote_it(right, wrong):
    text = GOOD.replace(right, wrong)
    assert faults(text)
    assert mended(text) == (text, [])


def test_several_slips_are_put_right_at_once():
    slips = {"unit/v1": "unit/v2", "1.2.0": "1.2", "[[action]]": "[[actions]]", "artifact =": "artefact ="}
    text = GOOD
    for right, wrong in slips.items():
        text = text.replace(right, wrong)
    assert mended(text)[0] == GOOD


@given(st.integers(0, len(GOOD) - 1), st.text(st.sampled_from('abe=[]"\n.# \x00é'), max_size=3), st.integers(0, 3))
def test_no_edit_makes_it_fail_and_a_mend_never_adds_the_fault_that_it_was_for(at, put, gone):
    text = GOOD[:at] + put + GOOD[at + gone :]
    now, mends = mended(text)
    assert bool(mends) is (now != text)
    if mends:
        assert faults(now) != faults(text)
    assert mended(now) == (now, [])
