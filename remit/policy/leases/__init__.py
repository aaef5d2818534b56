"""Grants that stand, what they may still use, and what was consented, delegated and denied."""

from __future__ import annotations
