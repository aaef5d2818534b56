"""From what is wanted to a plan: what would change, what conflicts, what it needs."""

from __future__ import annotations
