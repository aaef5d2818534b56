"""Calling actions, and seeing which there are."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

import click
import msgspec
from rich.text import Text

from remit.cli.inputs import DURATION, Given, not_json, read_given
from remit.cli.render.actions import action_schemas, action_table
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import ActionUnknown, UsageError
from remit.host import Connection
from remit.kernel.model import Caller

__all__ = ["call", "list_actions"]


@verb(
    "call",
    example='remit call acme/redact:redact \'{"text": "mail bob@example.com"}\'\n'
    "remit call acme/redact:redact @letter.txt --raw\n"
    "grep -h ERROR *.log | remit call acme/redact:redact - --raw",
)
@click.argument("action", metavar="ACTION")
@click.argument("value", metavar="[JSON|@FILE|-]", required=False)
@click.option("--raw", is_flag=True, help="Print an output that is a string, or has a 'text', as that text.")
@click.option("--idempotency-key", default="", metavar="KEY", help="Do it once: the same key gives the same outcome.")
@click.option("--deadline", type=DURATION, metavar="DURATION", help="Give up after this long, like 500ms.")
@click.option(
    "--record", type=click.Choice(["off", "digests", "full"]), help="Take the call down, to replay or prove it."
)
def call(
    session: Session,
    action: str,
    value: str | None,
    *,
    raw: bool,
    idempotency_key: str,
    deadline: int | None,
    record: Literal["off", "digests", "full"] | None,
) -> None:
    """Call an action of the active generation.

    ACTION is publisher/name:action, with @RANGE where a version matters. The input is JSON, a file, or standard input.
    A file that holds plain text becomes {"text": …} where the action takes a text. With --json, the whole outcome.
    """
    if raw and session.as_json:
        raise UsageError("--raw and --json exclude each other", remedy="choose one")
    given = Given("null", "") if value is None else read_given(value)
    caller = Caller(idempotency_key=idempotency_key, deadline_ms=deadline, record=record or "")
    with session.connect() as kernel:
        result = kernel.call_text(action, _input(kernel, action, given), caller=caller)
    if raw:
        _print_raw(result.output)
    else:
        session.document(result if session.as_json else result.output)


def _input(kernel: Connection, action: str, given: Given) -> str:
    """The call's JSON text: what was given, or plain text in the shape that the action takes.

    :raises UsageError: if it is neither JSON nor of use as a text
    """
    parsed, fault = _decode(given.text)
    if fault is None and (isinstance(parsed, dict) or not given.origin):
        return given.text
    if given.origin and _takes_text(kernel, action):
        return json.dumps({"text": given.text})
    if fault is None:
        return given.text
    refused = not_json(given, fault)
    if given.origin:
        refused.remedy = f"{action} takes no plain text; 'remit list {action}' shows what it takes"
    raise refused


def _decode(text: str) -> tuple[Any, Exception | None]:
    try:
        return msgspec.json.decode(text), None
    except (msgspec.DecodeError, RecursionError) as error:
        return None, error


def _takes_text(kernel: Connection, action: str) -> bool:
    """Whether the action's input is an object with a required string ``text``."""
    name = action.partition("@")[0]
    schema = next((entry["input"] for entry in kernel.actions() if entry["name"] == name), None)
    if not isinstance(schema, dict) or "text" not in schema.get("required", ()):
        return False
    declared = schema.get("properties", {}).get("text")
    return isinstance(declared, dict) and declared.get("type") == "string"


def _print_raw(output: Any) -> None:
    text = output.get("text") if isinstance(output, dict) else output
    if not isinstance(text, str):
        raise UsageError("the output is neither a string nor has it a 'text'", remedy="leave --raw out")
    # Into a file or pipe it goes byte for byte; a terminal must not obey what a unit wrote.
    click.echo(plain(text) if sys.stdout.isatty() else text, nl=not text.endswith("\n"))


@verb("list", example="remit list\nremit list acme/redact:redact")
@click.argument("action", metavar="[ACTION]", required=False)
def list_actions(session: Session, action: str | None) -> None:
    """List the actions that can be called, or show one's schemas."""
    with session.connect() as kernel:
        actions = kernel.actions()
    if action is None:
        empty = Text("No action is active. 'remit unit list' shows what is installed, 'remit unit plan ID' adds it.")
        session.answer({"actions": actions}, action_table(actions) if actions else empty)
        return
    found = next((entry for entry in actions if entry["name"] == action.partition("@")[0]), None)
    if found is None:
        raise ActionUnknown(f"no active unit offers {action[:200]!r}", remedy="run 'remit list' for what there is")
    session.answer(found, *action_schemas(found))
