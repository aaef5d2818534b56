"""Turns checked code into a component, from memory that nobody can change after the check.

A file of the cache is not mapped itself: whoever truncates a mapped file crashes its reader, and whoever writes it
changes pages that were not touched yet, check or no check. On Linux the bytes go to an anonymous file that is sealed
against change and mapped; elsewhere wasmtime copies them.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from wasmtime import Engine
from wasmtime import component as wc

__all__ = ["load_component"]


def load_component(engine: Engine, code: bytes) -> wc.Component:
    """The component in code that our own compiler made and our own seal vouches for; anything else runs as us.

    :raises WasmtimeError: if it was made for another engine
    """
    if sys.platform != "linux":
        return wc.Component.deserialize(engine, code)
    with _frozen(code) as path:
        return wc.Component.deserialize_file(engine, path)


if sys.platform == "linux":

    @contextmanager
    def _frozen(code: bytes) -> Iterator[str]:
        """A path to an anonymous file with these bytes, whose size and content cannot change any more."""
        handle = os.memfd_create("remit-code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(code)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
            # wasmtime maps the file while it loads; the mapping outlives the descriptor.
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
