"""The sample text: support tickets with made-up personal data from ranges that are reserved for examples.

What was planted in it is counted here, so that the demo can tell whether all of it, and nothing else, was masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

__all__ = ["PLANTED", "UNTOUCHED", "leftovers", "tickets"]

PLANTED = {"email": 80, "ip": 48, "card": 32, "phone": 48}
"""How many of each kind stand in the text."""
UNTOUCHED = 104
"""Lines without any: order numbers, EANs, versions, dates, coordinates, card numbers that no bank would issue."""

_MAIL = re.compile(r"\w@\w+\.\w")
_LONG_NUMBER = re.compile(r"\b(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d|2001:db8|555[ )-]|\+4[49] ")


def tickets() -> Sequence[str]:
    """The lines of the text."""
    return (files("remit.cli.demo") / "tickets.txt").read_text("utf-8").splitlines()


def leftovers(lines: Sequence[str]) -> list[str]:
    """Lines that still show a mail address, or a number from one of the example ranges."""
    return [line for line in lines if _MAIL.search(line) or _LONG_NUMBER.search(line)]
