"""What the façade's operations do, against the composed rooms; a module for each part of it."""

from __future__ import annotations
