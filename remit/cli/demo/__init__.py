"""The demo: the main job in a home of its own, as the commands that a person would type, each checked."""

from __future__ import annotations

from remit.cli.demo.script import play

__all__ = ["play"]
