"""The commands, a module for each kind of work; the table in :mod:`remit.cli.verbs` names them. Loaded on use."""

from __future__ import annotations

__all__: list[str] = []
