"""Commands that plugins bring, by hook ``remit_commands``. What is wrong with one is a line on standard error."""

from __future__ import annotations

import click

from remit.cli.text import one_line
from remit.host import plugin_commands

__all__ = ["command"]


def command(name: str) -> click.Command | None:
    """The command of this name, from the first plugin that has it."""
    commands, failures = plugin_commands(click.Command)
    for failure in failures:
        click.echo(f"warning: plugin {one_line(failure.plugin)} failed: {one_line(failure.error)}", err=True)
    return next((found for _, found in commands if found.name == name), None)
