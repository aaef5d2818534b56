"""TOML from outside: bounded before it is parsed, one kind of error after.

The standard parser takes time that grows with the square of a dotted key's length (a minute for 120 KB), recurses, and
raises four kinds of exception. This module makes that one exception, in bounded time.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from remit.errors import ValueInvalid

__all__ = ["MAX_TOML_BYTES", "load"]

MAX_TOML_BYTES = 256 << 10

# 64 keys in a row with dots between. The look-behind and the possessive parts keep the search itself linear.
_LONG_KEY = re.compile(r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")
_PLACE = re.compile(r"\(at ((?:line \d+, column \d+)|end of document)\)$")


def load(data: bytes, *, limit: int = MAX_TOML_BYTES) -> dict[str, Any]:
    """The table in these bytes.

    :param limit: the most bytes that are looked at
    :raises ValueInvalid: if they are more, or no TOML; ``details['faults']`` holds the one fault, with its line
    """
    if len(data) > limit:
        raise _invalid(f"has {len(data)} bytes; {limit} are allowed")
    try:
        text = data.decode().removeprefix("\ufeff")  # TOML 1.1 lets a byte order mark begin a file
    except UnicodeDecodeError as error:
        raise _invalid(f"is not UTF-8 at byte {error.start}") from error
    long_key = _LONG_KEY.search(text)
    if long_key:
        raise _invalid(f"line {text.count(chr(10), 0, long_key.start()) + 1}: a key has too many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _invalid("is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        message = str(error)[:200]
        place = _PLACE.search(message)
        if place:
            message = f"{place.group(1)}: {message[: place.start()].strip()}"
        raise _invalid(message) from error


def _invalid(message: str) -> ValueInvalid:
    return ValueInvalid(f"the TOML {message}", faults=[{"path": "", "message": message}])
