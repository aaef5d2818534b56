"""One record of the journal on a line or two: when, what, about whom; for refusals also what decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from remit.cli.text import json_text, one_line, short_digest

if TYPE_CHECKING:
    from remit.host import StateChange, Timer

__all__ = ["change_text", "letter_text", "record_text", "timer_text"]

_LONGEST = 160
_BAD = (".denied", ".failed", ".exhausted", ".revoked", ".lagged", ".quarantined")


def record_text(record: Mapping[str, Any]) -> Text:
    """The record for people; ``--json`` has all of it."""
    event = record["event"]
    kind = event["type"]
    style = "red" if kind.endswith(_BAD) else "bold"
    subject = event.get("subject", "")
    if subject.startswith("sha256:"):
        subject = short_digest(subject)
    moment = one_line(event["time"][:19].replace("T", " "))
    text = Text.assemble(
        (f"{record['seq']:>6}", "dim"), f"  {moment}  ", (f"{one_line(kind):<18}", style), f"  {one_line(subject)}"
    )
    detail = _detail(event)
    if detail:
        text.append(f"\n        {detail}", style="dim")
    return text


def letter_text(letter: Mapping[str, Any]) -> Text:
    """A dead letter: the event, whom it did not reach, and why."""
    text = record_text(letter["record"])
    tries = letter["attempts"]
    why = f"{letter['code']}: {letter['message']}" if letter["code"] else letter["message"]
    text.append(f"\n        {one_line(letter['subscription'])}, ", style="dim")
    text.append(f"{tries} attempt{'s' if tries != 1 else ''}: {one_line(why, 1_000)}", style="red")
    return text


def timer_text(timer: Timer) -> Text:
    """A timer: what it says, and when it does next."""
    moment = datetime.fromtimestamp(timer.due_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = Text(one_line(f"{timer.name}: {timer.topic} at {moment} UTC", 1_000), no_wrap=True)
    if timer.cron:
        text.append("\n        " + one_line(f"and each time of {timer.cron}, {timer.zone}", 1_000), style="dim")
    return text


def _detail(event: Mapping[str, Any]) -> str:
    data = event.get("data")
    if event.get("dataref"):
        return f"payload {short_digest(event['dataref'])}"
    if not isinstance(data, dict):
        return "" if data is None else one_line(json_text(data, indent=None), _LONGEST)
    if event["type"] in {"lease.denied", "lease.exhausted"}:
        policies = ", ".join(map(str, data.get("policies", ()))) or "no policy permits it"
        return one_line(f"{data.get('action')} on {data.get('resource')} — decided by {policies}", 1_000)
    if event["type"] == "action.failed":
        return one_line(f"{data.get('code')}: {data.get('message')}", 1_000)
    if event["type"] == "action.completed":
        return one_line(f"{data.get('duration_us', 0) / 1_000:.1f} ms, {data.get('events', 0)} events")
    return one_line(json_text(data, indent=None), _LONGEST)


def change_text(change: StateChange) -> Text:
    """A change of a read model: the record it came with, and a line an operation."""
    text = Text(f"{change.seq:>6}", style="dim")
    for operation in change.patch:
        value = "" if "value" not in operation else f" = {one_line(json_text(operation['value'], indent=None), 1_000)}"
        text.append(f"  {operation['op']} {one_line(operation['path']) or '/'}{value}\n")
    text.rstrip()
    return text
