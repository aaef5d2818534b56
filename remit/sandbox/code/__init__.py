"""From bytes to machine code: compiled in a process of its own, sealed, cached, inspected."""

from __future__ import annotations
