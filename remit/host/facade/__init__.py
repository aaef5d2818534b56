"""The façade: every operation of Remit, typed once, its parts by subject, and what operations give back."""

from __future__ import annotations
