"""A trace as a waterfall in the terminal, and lines of logs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from remit.cli.text import one_line
from remit.host import LogLine, Span, Trace

__all__ = ["log_text", "waterfall"]

_NAMES = 34
_TIMES = 11
_LEAST_BAR = 10
_MOST_SPANS = 500
_STYLES = {"ok": "green", "error": "red", "denied": "yellow"}
_MARKS = {"ok": "", "error": "✗ ", "denied": "⊘ "}
_LEVELS = {"error": "red", "warn": "yellow", "info": "", "debug": "dim", "trace": "dim"}


def waterfall(trace: Trace, width: int) -> Iterator[RenderableType]:
    """The trace's spans, one a line: tree, bar over the trace's time, duration."""
    yield Text.assemble(
        ("episode ", "dim"), one_line(trace.id), ("   trace ", "dim"), trace.trace_id,
        no_wrap=True,
    )  # fmt: skip
    depths = _depths(trace)
    room = max(width - _NAMES - _TIMES - 4, _LEAST_BAR)
    for span in trace.spans[:_MOST_SPANS]:
        name = "  " * min(depths[span.id], 8) + _MARKS[span.status] + one_line(span.name)
        took = _time(span.duration_us) if span.duration_us else "·"
        style = _STYLES[span.status]
        yield Text.assemble(
            (_fit(name, _NAMES), style if span.status != "ok" else ""),
            "  ",
            (_bar(span, trace, room), style),
            "  ",
            (took.rjust(_TIMES - 1), "dim"),
            no_wrap=True,
        )
        if span.status != "ok" and (why := span.attributes.get("message") or span.attributes.get("reason")):
            indent = 2 * min(depths[span.id], 8) + 2
            yield Padding(Text(one_line(str(why), 300), style="dim"), (0, 0, 0, indent))
    if len(trace.spans) > _MOST_SPANS:
        yield Text(f"and {len(trace.spans) - _MOST_SPANS} more; --json has all", style="dim")
    yield Text(f"{len(trace.spans)} spans, {_time(trace.duration_us)}", style="dim")


def _depths(trace: Trace) -> dict[str, int]:
    depths: dict[str, int] = {}
    for span in trace.spans:
        depths[span.id] = depths.get(span.parent, -1) + 1
    return depths


def _fit(words: str, width: int) -> str:
    return words.ljust(width) if len(words) <= width else words[: width - 1] + "…"


def _bar(span: Span, trace: Trace, room: int) -> str:
    """The span's place in the trace's time; what has no duration, or less than a cell, is one mark."""
    whole = max(trace.duration_us, 1)
    start = min(int((span.start_us - trace.start_us) / whole * room), room - 1)
    cells = max(round(span.duration_us / whole * room), 1)
    mark = "█" if span.duration_us else "◆"
    return (" " * start + mark * min(cells, room - start)).ljust(room)


def _time(microseconds: int) -> str:
    if microseconds < 1_000:  # noqa: PLR2004 - a millisecond
        return f"{microseconds} µs"
    if microseconds < 1_000_000:  # noqa: PLR2004 - a second
        return f"{microseconds / 1_000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def log_text(line: LogLine) -> Text:
    """One log line: when, how grave, which unit, the words."""
    style = _LEVELS.get(line.level, "red")
    code = f"{line.code}: " if line.code else ""
    text = Text.assemble(
        (one_line(line.time[11:23]), "dim"), "  ", (f"{one_line(line.level, 20):<5}", style or "bold"), "  ",
        (one_line(line.unit), "cyan"), "  ", (code + one_line(line.message), style),
    )  # fmt: skip
    if line.fields:
        text.append(f"  {one_line(line.fields, 300)}", style="dim")
    return text
