"""Remit runs other people's logic within its remit: sandboxed units, planned, applied, leased, journalled and undone.

>>> from remit import Kernel
>>> with Kernel.open("./home") as kernel:  # doctest: +SKIP
...     kernel.call("acme/redact:redact", {"text": "mail bob@example.com"})
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from remit.schemas.release import VERSION

if TYPE_CHECKING:
    from remit.host import Caller, Client, Kernel, connect, init

__all__ = ["Caller", "Client", "Kernel", "__version__", "connect", "init"]

__version__ = VERSION


def __getattr__(name: str) -> Any:
    # The kernel's rooms load on first use: 'import remit' alone costs next to nothing.
    if name in {"Caller", "Client", "Kernel", "connect", "init"}:
        return getattr(import_module("remit.host"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
