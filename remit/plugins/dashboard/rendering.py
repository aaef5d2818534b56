"""Templates and what they may use; the headers of a page. Everything is escaped, nothing is inline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

__all__ = ["environment", "page"]

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MOST_SHOWN = 4_000
_NOTHING = "-"


@cache
def environment() -> Environment:
    """The templates of this folder."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"ms": _milliseconds, "short": _short, "pretty": _pretty, "clock": _clock, "size": _size}
    return made


def page(template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """A page, or a part of one."""
    text = environment().get_template(template).render(**context)
    return Response(text, status_code=status, media_type="text/html", headers={"content-security-policy": _CSP})


def _milliseconds(microseconds: object) -> str:
    return f"{microseconds / 1_000:.1f} ms" if isinstance(microseconds, int | float) else _NOTHING


def _short(digest: object) -> str:
    text = str(digest)
    return text.removeprefix("sha256:")[:12] if text.startswith("sha256:") else text


def _pretty(value: object) -> str:
    text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "\n… (cut)"


def _clock(time: object) -> str:
    """The day and second of an RFC 3339 time."""
    return str(time)[:19].replace("T", " ")


def _size(count: object) -> str:
    if not isinstance(count, int):
        return _NOTHING
    for unit, width in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= width:
            return f"{count / width:.1f} {unit}"
    return f"{count} B"
