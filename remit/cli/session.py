"""What every command has: its home, its way of printing, its progress bar; and the decorator that makes a verb.

Renderers make the renderables (:mod:`remit.cli.render`); this module only decides where they go.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from remit.cli.text import json_text, one_line
from remit.errors import RemitError
from remit.host import Connection, connect

__all__ = ["Session", "verb"]

_PATIENCE_S = 0.7
"""What takes longer shows a progress bar."""


Decorator = Callable[[Callable[..., None]], click.Command]


class Report(Protocol):
    """A progress callback: a stage for people, and the share done from 0 to 1."""

    def __call__(self, stage: str, share: float, /) -> None:
        """Say how far it is."""
        ...


class Session:
    """One run of one command.

    :param program: the words of the command, which the home's lock names as its holder
    """

    def __init__(self, program: str, home: Path, *, as_json: bool) -> None:
        self.program = program
        self.home = home
        self.as_json = as_json

    @cached_property
    def out(self) -> Console:
        """Standard output. Markup stays off: text from units is text."""
        return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)

    @cached_property
    def err(self) -> Console:
        """Standard error."""
        return Console(file=sys.stderr, markup=False, highlight=False, emoji=False)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked something."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def connect(self) -> Connection:
        """The home, whoever its kernel is; use it with ``with``."""
        return connect(self.home, program=self.program, signals="manage")

    @contextmanager
    def governing(self) -> Iterator[Connection | None]:
        """The home whose policy is asked, for what can be done without one; ``None`` where there is none."""
        if (self.home / "remit.toml").is_file():
            with self.connect() as home:
                yield home
        else:
            yield None

    # ---- printing ----

    def answer(self, data: Any, *renderables: RenderableType) -> None:
        """The result: ``data`` as one JSON document under ``--json``, else the renderables."""
        if self.as_json:
            self.document(data)
        else:
            self.show(*renderables)

    def show(self, *renderables: RenderableType) -> None:
        """Print for people; nothing under ``--json``. A text that must not wrap stays whole: it can be copied."""
        if not self.as_json:
            for renderable in renderables:
                whole = isinstance(renderable, Text) and bool(renderable.no_wrap)
                self.out.print(renderable, soft_wrap=whole)

    def document(self, data: Any) -> None:
        """Print one JSON document."""
        click.echo(json_text(msgspec.to_builtins(data)))

    def line(self, data: Any, renderable: Text) -> None:
        """One entry of a stream: a line of JSON under ``--json``, else text that is never broken into lines."""
        if self.as_json:
            click.echo(json_text(msgspec.to_builtins(data), indent=None))
        else:
            self.out.print(renderable, soft_wrap=True)
        sys.stdout.flush()

    def hint(self, words: str) -> None:
        """What to do next."""
        self.show(Text(words, style="dim", no_wrap=True))

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A progress callback. On a terminal it becomes a bar on standard error when the work takes a while."""
        if not self.err.is_terminal:
            yield lambda _stage, _share, /: None
            return
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        bar = Progress(*columns, console=self.err, transient=True)
        task = bar.add_task("", total=None)
        stages = [""]

        def report(stage: str, share: float, /) -> None:
            if stage != stages[-1]:  # a bar that was full begins anew, with its own time
                stages.append(stage)
                bar.reset(task, description=one_line(stage, 40))
            # A stage that says nothing between its beginning and its end is shown as moving, not as standing at zero.
            bar.update(task, completed=share, total=1.0 if share else None)

        timer = threading.Timer(_PATIENCE_S, bar.start)
        timer.daemon = True
        timer.start()
        try:
            yield report
        finally:
            timer.cancel()
            timer.join()
            bar.stop()


def verb(name: str, *, example: str, cls: type[click.Command] = click.Command) -> Decorator:
    """Make a command of a function: ``function(session, **parameters)``, with ``--home``, ``--json`` and an example.

    :param example: shown at the end of its help
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @click.pass_context
        @functools.wraps(function)
        def run(context: click.Context, /, *, home: Path, as_json: bool, **parameters: Any) -> None:
            session = Session(context.command_path, home, as_json=as_json)
            try:
                function(session, **parameters)
            except RemitError as error:
                if as_json:  # a program that reads standard output gets a document, whatever happens
                    session.document({"error": error.as_dict()})
                raise

        click.option(
            "--json", "as_json", is_flag=True, help="Print JSON with stable keys: one document, or lines for a stream."
        )(run)
        click.option(
            "--home",
            envvar="REMIT_HOME",
            default=".",
            show_default=True,
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="The home; also REMIT_HOME.",
        )(run)
        epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in example.splitlines())
        return click.command(name, cls=cls, epilog=epilog)(run)

    return decorate
