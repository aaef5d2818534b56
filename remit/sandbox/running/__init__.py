"""Runners: they find code, keep instances, run calls and stop them, in this process or in others."""

from __future__ import annotations
