"""What is installed, from whom, and what of it is locked, withdrawn or may be admitted."""

from __future__ import annotations
