"""What people pass on the command line: JSON, ``@file``, ``-``, durations, units to add and remove. Bounded reads.

Turns words into values; what the values mean is decided behind the façade.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from remit.errors import InputTooLarge, UsageError, ValueInvalid
from remit.schemas.quantities import parse_duration

__all__ = ["DURATION", "EditsCommand", "Given", "parse_json", "read_bounded", "read_given", "split_items"]

MOST_INPUT = 16 << 20
"""Bytes read from a file or from standard input."""

_REMOVAL = re.compile(r"-[a-z0-9][a-z0-9-]*/[a-z0-9-]+")


class _Duration(click.ParamType[int]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds of ``250ms``, ``5s``."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(str(value))
        except ValueInvalid as error:
            self.fail(f"{error.message}; {error.remedy}", param, ctx)


DURATION = _Duration()


class Given(NamedTuple):
    """The text of an argument, and whether it came from a file or standard input."""

    text: str
    origin: str
    """The file's name, ``standard input``, or "" for the words themselves."""


def read_bounded(path: Path) -> bytes:
    """A file's bytes.

    :raises UsageError: if it cannot be read
    :raises InputTooLarge: if it is larger than :data:`MOST_INPUT`
    """
    try:
        with path.open("rb") as file:
            return _bounded(file.read(MOST_INPUT + 1), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy="name a readable file") from error


def _bounded(data: bytes, origin: str) -> bytes:
    if len(data) > MOST_INPUT:
        raise InputTooLarge(f"{origin} has more than {MOST_INPUT >> 20} MiB", remedy="pass it in parts")
    return data


def read_given(argument: str) -> Given:
    """The text of ``JSON``, ``@file`` or ``-``.

    :raises UsageError: if the file cannot be read or is not text
    :raises InputTooLarge: if there is too much of it
    """
    if argument == "-":
        data, origin = _bounded(sys.stdin.buffer.read(MOST_INPUT + 1), "standard input"), "standard input"
    elif argument.startswith("@"):
        data, origin = read_bounded(Path(argument[1:])), argument[1:]
    else:
        return Given(argument, "")
    try:
        return Given(data.decode("utf-8-sig"), origin)
    except UnicodeDecodeError as error:
        remedy = "convert it to UTF-8; binary data travels as base64 inside JSON"
        raise UsageError(f"{origin} is not UTF-8 text (byte {error.start})", remedy=remedy) from error


def parse_json(argument: str) -> Any:
    """The value of ``JSON``, ``@file`` or ``-``.

    :raises UsageError: if it is not JSON
    """
    given = read_given(argument)
    try:
        return msgspec.json.decode(given.text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(given, error) from error


def not_json(given: Given, error: Exception) -> UsageError:
    """The error for text that should be JSON."""
    remedy = "quote JSON for the shell: '{\"key\": 1}', or pass a file as @FILE"
    return UsageError(f"{given.origin or 'the argument'} is not JSON: {error}", remedy=remedy)


class EditsCommand(click.Command):
    """A command that takes ``-publisher/name`` as an argument: a unit to remove, not a bundle of short options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move removals behind ``--``, where click leaves them alone."""
        cut = args.index("--") if "--" in args else len(args)
        before, after = args[:cut], args[cut + 1 :]
        removals = [word for word in before if _REMOVAL.fullmatch(word)]
        rest = [word for word in before if not _REMOVAL.fullmatch(word)]
        return super().parse_args(ctx, [*rest, "--", *after, *removals])


def split_items(items: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Units to add (``+ID``, ``ID``) and to remove (``-ID``)."""
    added = [item.removeprefix("+") for item in items if not item.startswith("-")]
    return added, [item[1:] for item in items if item.startswith("-")]
