"""What policies did, would do and should do: explanations, comparisons, cases, history."""

from __future__ import annotations
