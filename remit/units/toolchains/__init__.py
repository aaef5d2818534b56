"""The toolchains behind :mod:`remit.units.build`: each turns a source into a component, or explains why not."""

from __future__ import annotations

__all__ = ["artifact", "componentize", "qjs", "running", "sdks", "shell", "wat", "world", "zig"]
