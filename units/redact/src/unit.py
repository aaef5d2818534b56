"""acme/redact: the unit's face to the kernel. What is personal data, and how it is masked, is in ``redaction``.

The module is initialised when the unit is built, and has no files at run time: every import stands up here.
"""

from __future__ import annotations

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import events, log, parameters
from wit_world.imports.types import Error_Failed, Error_Rejected

from redaction import KINDS, redact


class Provider(exports.Provider):
    """The actions that ``unit.toml`` declares."""

    def call(self, action: str, input: str) -> str:  # noqa: A002 - the name is the contract's
        """Run one action; whatever goes wrong is the unit's answer and never a trap."""
        if action != "redact":
            raise Err(Error_Rejected(f"there is no action {action!r}"))
        try:
            return _redact(json.loads(input))
        except Exception as error:
            raise Err(Error_Failed(f"{type(error).__name__}: {error}")) from error


def _redact(request: dict) -> str:
    mask = json.loads(parameters.get() or "{}").get("mask", "█")
    text, counts = redact(request["text"], tuple(request.get("kinds", KINDS)), mask)
    if any(counts.values()):
        _tell(counts)
    return json.dumps({"text": text, "counts": counts}, ensure_ascii=False)


def _tell(counts: dict[str, int]) -> None:
    # A kernel that does not let us tell still gets its text masked.
    try:
        events.emit("text.redacted", "application/json", json.dumps({"counts": counts}))
    except Err as refused:
        log.write(log.Level.WARN, "text.redacted was not emitted", json.dumps({"why": refused.value.message}))
