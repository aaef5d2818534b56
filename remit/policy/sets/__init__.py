"""Policies as text and as engines: read, checked, sliced, loaded, and given up in pieces."""

from __future__ import annotations
