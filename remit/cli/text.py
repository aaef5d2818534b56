r"""Text from others, made safe to print: what could steer a terminal or hide is shown as ``\uNNNN``.

Units write titles, reasons, documents and errors, and operators decide by what they read. Lays nothing out.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["json_text", "one_line", "plain", "short_digest"]

# Control characters except tab and line feed; zero-width and bidirectional marks; line separators; lone surrogates.
_UNSAFE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ud800-\\udfff]"
)
_SHORT = 12


def plain(text: str) -> str:
    """The text with every character that a terminal could obey, or a reader could miss, spelled out."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(text: str, limit: int = 2_000) -> str:
    """:func:`plain` on one line, at most ``limit`` characters and then ``…``."""
    line = plain(text[: limit + 1]).replace("\r", " ").replace("\n", " ").replace("\t", " ")
    return line if len(text) <= limit else line[:limit] + "…"


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """A value as JSON that is safe on a terminal: unsafe characters occur in strings only, where JSON escapes them."""
    separators = None if indent is not None else (",", ":")
    return plain(json.dumps(value, indent=indent, ensure_ascii=False, separators=separators))


def short_digest(digest: str) -> str:
    """The first twelve hexadecimal digits of ``sha256:…``."""
    return one_line(digest.partition(":")[2][:_SHORT] or digest[:_SHORT])
