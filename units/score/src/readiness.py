"""How ready an assistant is to meet people: a pure judgement of its document, with the reasons beside the number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Check(NamedTuple):
    """One thing that a ready assistant has, and how many of the hundred points it is worth."""

    points: int
    met: str
    missing: str
    holds: Callable[[dict[str, Any]], bool]


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name)
    return section if isinstance(section, dict) else {}


def _said(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


CHECKS = (
    Check(
        40,
        "personal data is masked before anything else sees it",
        "turn on the guard 'redact'",
        lambda d: _section(d, "guards").get("redact") is True,
    ),
    Check(
        20,
        "a tone is set",
        "set style.tone",
        lambda d: _said(_section(d, "style").get("tone")),
    ),
    Check(
        20,
        "answers have a bounded length",
        "set style.max_sentences",
        lambda d: _positive(_section(d, "style").get("max_sentences")),
    ),
    Check(
        20,
        "a person can be reached",
        "set handover.contact",
        lambda d: _said(_section(d, "handover").get("contact")),
    ),
)


def judge(document: dict[str, Any], threshold: int) -> dict[str, Any]:
    """``score`` (0 to 100), whether that reaches the threshold, what counted and what would help."""
    met = [check for check in CHECKS if check.holds(document)]
    score = sum(check.points for check in met)
    return {
        "score": score,
        "ready": score >= threshold,
        "because": [check.met for check in met],
        "missing": [f"{check.missing} (+{check.points})" for check in CHECKS if check not in met],
    }


def patches(context: dict[str, Any]) -> dict[str, Any]:
    """The transform: the context of documents and parameters to a merge patch of ``assistant``.

    It reads nothing that it writes, so transforming twice changes nothing.
    """
    document = context["documents"].get("assistant")
    readiness = judge(
        document if isinstance(document, dict) else {}, context.get("parameters", {}).get("threshold", 60)
    )
    return {"patches": [{"target": "assistant", "op": "merge", "value": {"readiness": readiness}}]}
