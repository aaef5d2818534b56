"""Commands that plugins bring, by hook ``remit_commands``. What is wrong with one is a line on standard error."""

from __future__ import annotations

from collections.abc import Container

import click

from remit.cli.text import one_line
from remit.host import plugin_commands

__all__ = ["command", "listed"]


def command(name: str) -> click.Command | None:
    """The command of this name, from the first plugin that has it."""
    return next((found for found in _commands() if found.name == name), None)


def listed(taken: Container[str]) -> list[tuple[str, str]]:
    """Name and line of each command for the help, but for names that are taken, and those that hide."""
    rows: dict[str, str] = {}
    for found in _commands():
        name = one_line(found.name or "")
        if name and name not in taken and not found.hidden:
            rows.setdefault(name, one_line(found.get_short_help_str()))
    return list(rows.items())


def _commands() -> list[click.Command]:
    commands, failures = plugin_commands(click.Command)
    for failure in failures:
        click.echo(f"warning: plugin {one_line(failure.plugin)} failed: {one_line(failure.error)}", err=True)
    return [found for _, found in commands]
