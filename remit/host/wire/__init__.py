"""The home's socket: its messages, and either end of it."""

from __future__ import annotations
