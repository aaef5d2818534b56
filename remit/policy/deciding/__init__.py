"""One decision: what is asked, of which resource, in which place, and what Cedar says to it."""

from __future__ import annotations
