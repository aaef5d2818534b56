"""How values cross between Python and wasmtime, by plans that are made once for each type."""

from __future__ import annotations
