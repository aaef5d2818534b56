"""Transforms: pure guests whose patches are part of the plan; what they answer is not believed before it is checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remit.errors import TransformFailed
from remit.host import build_unit
from remit.kernel.model import GuestOutcome, Limits, Program, UnitRef
from remit.units import evaluator

ROOT = Path(__file__).parents[2]
PROGRAM = Program(
    unit=UnitRef("acme/score", "1.0.0", "sha256:0", "transform", "local"),
    artifact="sha256:1",
    world="transform",
    limits=Limits(),
    interfaces=frozenset(),
)
MERGE = {"target": "assistant", "op": "merge", "value": {"a": 1}}


def answering(text: str, tag: str = "ok"):
    """What evaluates transforms, with a guest that answers this."""
    return evaluator(lambda *_: GuestOutcome(tag, text))


def test_patches_are_read_from_the_answer():
    [patch] = answering(json.dumps({"patches": [MERGE]}))(PROGRAM, "{}", "{}")
    assert (patch.target, patch.op, patch.value) == ("assistant", "merge", {"a": 1})


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        '{"patches": 1}',
        '{"patches": [{"target": "a", "op": "burn", "value": 1}]}',
        '{"patches": [{"target": "a"}]}',
        '{"patches": [], "more": 1}',
        json.dumps({"patches": [MERGE] * 257}),
        '{"patches": [{"target": "a", "op": "json-patch", "value": [{"op": "remove"}]}]}',
        '{"patches": [{"target": "a", "op": "json-patch", "value": [{"op": "remove", "path": "/list/0"}]}]}',
        '{"patches": [{"target": "a", "op": "merge", "value": ' + "[" * 100 + "]" * 100 + "}]}",
        "[" * 100_000,
    ],
)
def test_an_answer_that_is_no_list_of_patches_is_refused(answer):
    with pytest.raises(TransformFailed):
        answering(answer)(PROGRAM, "{}", "{}")


@pytest.mark.parametrize("tag", ["failed", "rejected", "retry"])
def test_a_transform_that_says_no_fails_the_plan(tag):
    with pytest.raises(TransformFailed, match=f"answered {tag}: why"):
        answering("why", tag)(PROGRAM, "{}", "{}")


@pytest.mark.slow
def test_a_real_transform_sees_what_the_units_before_it_made(kernel, author, install):
    build_unit(ROOT / "units/score")
    install(ROOT / "units/score")
    install(author.config("acme/tone", "{ style = { tone = 'warm' } }"))
    first = kernel.plan(add=["acme/score", "acme/tone"])
    after = kernel.plan(add=["acme/tone", "acme/score"])
    scores = [plan.candidate.document("assistant")["readiness"]["score"] for plan in (first, after)]
    assert scores[0] < scores[1]


@pytest.mark.slow
def test_a_transforms_patches_change_with_what_it_reads(kernel, home, install):
    build_unit(ROOT / "units/score")
    install(ROOT / "units/score")
    kernel.apply(kernel.plan(add=["acme/score"]))
    path = home / "remit.toml"
    path.write_text(path.read_text().replace("guards = {}", "guards = { redact = true }"))
    changes = {change.path for diff in kernel.plan().documents for change in diff.changes}
    assert "/guards/redact" in changes
    assert any(path.startswith("/readiness") for path in changes)
