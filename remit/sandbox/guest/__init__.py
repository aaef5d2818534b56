"""One guest: its linker, its instance, a call of it, and what stands behind its imports."""

from __future__ import annotations
