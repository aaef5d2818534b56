"""The command line: what people type, and how results look. No decisions are made here; the façade makes them."""

from __future__ import annotations

from remit.cli.root import main, root

__all__ = ["main", "root"]
