"""Progress bars and questions: only for people, only when they are worth it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from remit.cli import session as module
from remit.cli.session import Session


def watched(monkeypatch, *, terminal: bool, patience: float) -> tuple[Session, io.StringIO]:
    """A session whose standard error is (or is not) a terminal."""
    monkeypatch.setattr(module, "_PATIENCE_S", patience)
    file = io.StringIO()
    session = Session("remit test", Path(), as_json=False)
    session.__dict__["err"] = Console(file=file, force_terminal=terminal, width=80)
    return session, file


def test_work_that_takes_a_while_shows_a_bar_on_a_terminal(monkeypatch, wait_for):
    session, file = watched(monkeypatch, terminal=True, patience=0)
    with session.progress() as progress:
        progress("compiling\x1b[2J acme/redact", 0.5)
        wait_for(lambda: "compiling" in file.getvalue())
    assert "\x1b[2J" not in file.getvalue()


def test_quick_work_shows_nothing(monkeypatch):
    session, file = watched(monkeypatch, terminal=True, patience=60)
    with session.progress() as progress:
        progress("compiling", 1.0)
    assert "compiling" not in file.getvalue()


@pytest.mark.parametrize("patience", [0, 60])
def test_without_a_terminal_there_is_no_bar(monkeypatch, patience):
    session, file = watched(monkeypatch, terminal=False, patience=patience)
    with session.progress() as progress:
        progress("compiling", 0.5)
    assert file.getvalue() == ""


def test_a_failure_ends_the_bar(monkeypatch):
    session, file = watched(monkeypatch, terminal=True, patience=0)
    with pytest.raises(ValueError, match="boom"), session.progress():
        raise ValueError("boom")
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h")  # the cursor is back


def test_nobody_is_asked_under_json_or_without_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())
    assert Session("x", Path(), as_json=False).interactive
    assert not Session("x", Path(), as_json=True).interactive
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert not Session("x", Path(), as_json=False).interactive
