"""wasmtime's engines and their epochs, and the few functions of its C API that every call goes through."""

from __future__ import annotations
