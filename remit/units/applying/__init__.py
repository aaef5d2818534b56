"""From a plan to what is active, its records, and back."""

from __future__ import annotations
