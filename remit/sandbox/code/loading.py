"""Turns code that the cache vouches for into a component.

A file that nobody has touched since it was sealed is mapped as it is: it is closed to everybody but its owner. Bytes
that had to be checked come from who knows where, and somebody may still hold the file: on Linux they go to an anonymous
file that is sealed against change and mapped; elsewhere wasmtime copies them.
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


def load_component(engine: Engine, code: bytes | int) -> wc.Component:
    """The component in code that our own compiler made and our own seal vouches for; anything else runs as us.

    :param code: the bytes that were checked, or a descriptor of a file that was not touched
    :raises WasmtimeError: if it was made for another engine
    """
    if isinstance(code, int):
        return wc.Component.deserialize_file(engine, f"/dev/fd/{code}")
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
