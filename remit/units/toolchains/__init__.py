"""Toolchains: each turns a source into a component, or explains why not; ``build`` chooses among them."""

from __future__ import annotations

__all__ = ["artifact", "componentize", "qjs", "running", "sdks", "shell", "wat", "world", "zig"]
