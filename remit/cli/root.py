"""The root command: finds verbs in the table, loads them on use, turns whatever goes wrong into a line and a code.

Exit codes: 0 done, 1 error, 2 changes pending, 3 refused or consent needed, 64 usage, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, NoReturn

import click

from remit import __version__
from remit.cli.text import json_text, one_line
from remit.cli.verbs import GROUPS, TOP, Verb
from remit.errors import EXIT_ERROR, EXIT_USAGE, RemitError, UsageError

__all__ = ["main", "root", "run"]

_EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
_EXIT_TERMINATED = 143
"""128 + SIGTERM."""
_MOST_FAULTS = 20
_HOME = "REMIT_HOME"
_HELP = """Run other people's logic within its remit.

Units are planned, applied and reverted like infrastructure; they run sandboxed, with what policy grants and nothing
else; and whatever they do is in the journal.
"""
_FIRST = "Begin with 'remit demo', or with 'remit init DIR'."


class _Terminated(KeyboardInterrupt):
    """SIGTERM: what runs ends as it does at Ctrl-C, with its guests stopped and the journal whole."""


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM end the command in order, unless who runs it has other plans for the signal."""
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class LazyGroup(click.Group):
    """A group whose commands are listed from the table and imported when they are used."""

    def __init__(self, name: str, line: str, verbs: Mapping[str, Verb], **attributes: Any) -> None:
        super().__init__(name, help=line, **attributes)
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return [*self._verbs, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with this name, imported now."""
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return super().get_command(ctx, cmd_name) or self.more(cmd_name)
        command: click.Command = getattr(import_module(f"remit.cli.commands.{verb.module}"), verb.attribute)
        return command

    def more(self, _name: str) -> click.Command | None:
        """A command that is neither in the table nor given at construction."""
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        rows = [(name, verb.line) for name, verb in self._verbs.items()]
        rows += [(name, group.help or "") for name, group in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        if others := self.others():
            with formatter.section("Commands of plugins"):
                formatter.write_dl(others)
        del ctx

    def others(self) -> list[tuple[str, str]]:
        """Name and line of each command that is neither in the table nor given at construction."""
        return []


class Root(LazyGroup):
    """The command ``remit``. Its :meth:`main` always ends the process with one of the module's exit codes."""

    def more(self, name: str) -> click.Command | None:
        """A command that a plugin brings: plugins are imported for a word that nobody else knows, and only then."""
        from remit.cli.contributed import command  # noqa: PLC0415 - loads the host

        return command(name)

    def others(self) -> list[tuple[str, str]]:
        """The commands of plugins. Where none is installed, which is cheap to see, nothing is loaded."""
        if not metadata.entry_points(group="remit.plugins"):
            return []
        from remit.cli.contributed import listed  # noqa: PLC0415 - as above

        return listed({*TOP, *GROUPS})

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit."""
        del complete_var, standalone_mode, extra  # how it ends is the same however it is called
        sys.exit(self.run(args, prog_name))

    def run(self, args: Sequence[str] | None = None, prog_name: str | None = None) -> int:
        """Run a command line and give its exit code; every error has been printed by then."""
        try:
            with _terminable():
                result = super().main(args=args, prog_name=prog_name or "remit", standalone_mode=False)
                sys.stdout.flush()
        except BrokenPipeError:
            # Nobody reads any more. Point stdout elsewhere, so that the interpreter's last flush is quiet too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return EXIT_ERROR
        except (click.Abort, KeyboardInterrupt) as error:  # click makes the one of the other
            terminated = isinstance(error.__cause__ or error, _Terminated)
            _say("terminated" if terminated else "interrupted")
            return _EXIT_TERMINATED if terminated else _EXIT_INTERRUPTED
        except click.ClickException as error:
            return _misused(error, as_json="--json" in (sys.argv[1:] if args is None else args))
        except RemitError as error:
            _report(error)
            return error.exit_code
        except Exception as error:  # noqa: BLE001 - the last resort: a person gets a line, a developer the traceback
            remedy = "this is a fault of remit; REMIT_DEBUG=1 shows the traceback"
            _report(RemitError(f"{type(error).__name__}: {error}", remedy=remedy))
            return EXIT_ERROR
        return result if isinstance(result, int) else 0


def _misused(error: click.ClickException, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "remit"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
    else:
        usage = UsageError(error.format_message().rstrip("."), remedy=f"see '{where} --help'")
        if as_json:  # the command never began, so it cannot print its document
            click.echo(json_text({"error": usage.as_dict()}))
        _report(usage)
    return EXIT_USAGE


def _report(error: RemitError) -> None:
    if os.environ.get("REMIT_DEBUG"):
        traceback.print_exc()
    label = f"error[{error.code}]:"
    if "NO_COLOR" not in os.environ:
        label = click.style(label, fg="red", bold=True)  # click drops it where stderr is not a terminal
    remedy = f" — {one_line(error.remedy)}" if error.remedy else ""
    _say(f"{label} {one_line(error.message)}{remedy}")
    faults = error.details.get("faults")
    if isinstance(faults, list) and len(faults) > 1:
        for fault in faults[:_MOST_FAULTS]:
            place = fault.get("path") or fault.get("file") or "the whole"
            _say(f"  {one_line(str(place))}: {one_line(str(fault.get('message', '')))}")
        if len(faults) > _MOST_FAULTS:
            _say(f"  and {len(faults) - _MOST_FAULTS} more")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _at(home: str | None) -> None:
    """Have the command find the home that was named before it as it finds that of REMIT_HOME; plugins' do, too."""
    if home is None:
        return
    before = os.environ.get(_HOME)
    os.environ[_HOME] = home

    def restore() -> None:
        if before is None:
            os.environ.pop(_HOME, None)
        else:
            os.environ[_HOME] = before

    click.get_current_context().call_on_close(restore)


root = Root(
    "remit",
    _HELP,
    TOP,
    epilog=_FIRST,
    callback=_at,
    commands={name: LazyGroup(name, line, verbs) for name, (line, verbs) in GROUPS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, prog_name="remit")(root)
click.option(
    "--home", metavar="DIR", type=click.Path(), help="The home, where the command names none; instead of REMIT_HOME."
)(root)


def main() -> NoReturn:
    """The entry point of the ``remit`` program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a locale that cannot show a character must not end the command
            reconfigure(errors="backslashreplace")
    sys.exit(root.run())


def run(*words: str) -> int:
    """Run one command in this process and give its exit code, as the demo does."""
    return root.run(words)
