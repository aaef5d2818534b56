"""A home on disk: its folder and lock, and what is done to its files where no kernel runs."""

from __future__ import annotations
