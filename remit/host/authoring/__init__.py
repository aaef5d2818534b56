"""Work that needs no kernel of a home: making, trying, measuring, signing and publishing units."""

from __future__ import annotations
