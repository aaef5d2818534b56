"""Plugins: seeing them, making one, switching them."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from rich.text import Text

from remit import host
from remit.cli.render.plugins import plugin_list
from remit.cli.session import Session, verb
from remit.cli.text import plain

__all__ = ["disable", "enable", "list_plugins", "new"]


@verb("list", example="remit plugin list --json")
def list_plugins(session: Session) -> None:
    """List the plugins: where from, what for, at what cost.

    Those that are off or broken are listed as well; nothing is imported to list it.
    """
    with session.connect() as kernel:
        plugins = kernel.plugin_list()
    session.answer({"plugins": plugins}, *plugin_list(plugins))


@verb("new", example="remit plugin new acme-audit\nremit plugin new acme-audit --dir ~/src")
@click.argument("name", metavar="NAME")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=".", help="Where its folder goes.")
def new(session: Session, name: str, folder: Path) -> None:
    """Make a plugin's project, with tests.

    The folder is a distribution: 'pip install -e' brings the plugin to every home of this machine.
    """
    target, files = host.new_plugin(name, folder)
    made = Text.assemble(("made ", "green"), plain(str(target)), f" ({len(files)} files)", no_wrap=True)
    session.answer({"folder": str(target), "files": files}, made)
    session.hint(f"Next: cd {shlex.quote(str(target))} && pip install -e '.[test]' && pytest")


@verb("enable", example="remit plugin enable acme-audit")
@click.argument("name", metavar="NAME")
def enable(session: Session, name: str) -> None:
    """Take a plugin back into use.

    One that was not loaded comes back when the kernel starts again. What remit.toml or REMIT_PLUGINS_DISABLE keeps off
    stays off.
    """
    _switch(session, name, on=True)


@verb("disable", example="remit plugin disable acme-audit")
@click.argument("name", metavar="NAME")
def disable(session: Session, name: str) -> None:
    """Take a plugin out of use, now and after a restart.

    It gets no more hooks. What it has given to the running kernel (a read model, a unit source) goes with its next
    start.
    """
    _switch(session, name, on=False)


def _switch(session: Session, name: str, *, on: bool) -> None:
    with session.connect() as kernel:
        status = kernel.switch_plugin(name, on=on)
    why = f": {status.reason}" if status.reason else ""
    session.answer(status, Text(plain(f"{status.name} is {status.state}{why}")))
