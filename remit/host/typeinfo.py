"""Types made ready before threads use them.

msgspec builds what it knows of a struct when the struct is first decoded, and msgspec 0.22 crashes the process when two
threads build it for nested structs at once. So everything that Remit decodes is built here, on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

__all__ = ["make_ready"]


def make_ready() -> None:
    """Build the type information of every struct of Remit that is loaded."""
    for kind in _structs(msgspec.Struct):
        if kind.__module__.partition(".")[0] == "remit":
            with suppress(TypeError, NameError):  # holds what JSON cannot: it is never decoded
                msgspec.json.Decoder(kind)


def _structs(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _structs(kind)
