"""The judgement of acme/score, run natively."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from readiness import CHECKS, judge, patches

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(("guards", "style", "handover"), JSON))
READY = {
    "guards": {"redact": True},
    "style": {"tone": "warm", "max_sentences": 6},
    "handover": {"contact": "help@example.com"},
}


def test_points_add_up_to_a_hundred():
    assert sum(check.points for check in CHECKS) == 100


def test_an_assistant_with_everything_is_ready():
    assert judge(READY, 100) == {"score": 100, "ready": True, "because": [c.met for c in CHECKS], "missing": []}


def test_what_is_missing_is_named_with_its_points():
    assert judge({"guards": {"redact": True}}, 60)["missing"][0] == "set style.tone (+20)"


@given(DOCUMENTS, st.integers(0, 100))
def test_every_check_is_either_met_or_missing(document, threshold):
    verdict = judge(document, threshold)
    assert len(verdict["because"]) + len(verdict["missing"]) == len(CHECKS)
    assert verdict["ready"] == (verdict["score"] >= threshold)


@given(DOCUMENTS)
def test_transforming_twice_changes_nothing(document):
    once = patches({"documents": {"assistant": document}, "parameters": {}})
    merged = {**document, **once["patches"][0]["value"]}
    assert patches({"documents": {"assistant": merged}, "parameters": {}}) == once


@given(JSON)
def test_a_document_of_any_shape_gets_a_score(document):
    verdict = patches({"documents": {"assistant": document}, "parameters": {}})["patches"][0]["value"]["readiness"]
    assert 0 <= verdict["score"] <= 100
