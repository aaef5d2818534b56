"""What is wanted, what was active, and what it made of the documents: the units of an operator, over time."""

from __future__ import annotations
