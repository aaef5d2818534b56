"""Policy text as Cedar lays it out, and nothing else about it changed."""

from __future__ import annotations

import cedarpy

from remit.errors import PolicyInvalid
from remit.policy.sets.engine import on_large_stack
from remit.policy.sets.findings import refuse
from remit.policy.sets.prescan import scan

__all__ = ["formatted"]

_WIDTH = 120
_INDENT = 2


def formatted(file: str, text: str) -> str:
    """The text in Cedar's own layout; comments stay.

    :raises PolicyInvalid: if it does not parse, or is not fit to be parsed
    """
    _, findings = scan(file, text)
    if findings:
        raise refuse(findings)
    try:
        laid: str = on_large_stack(lambda: cedarpy.format_policies(text, _WIDTH, _INDENT))
    except ValueError as error:
        raise PolicyInvalid(f"{file} does not parse: {str(error)[:300]}") from error
    return laid.rstrip() + "\n"
