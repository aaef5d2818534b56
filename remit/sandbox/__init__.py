"""The sandbox: runs components of the world ``remit:unit`` with nothing but what the kernel's one door gives them.

Importing the room does not import wasmtime: that happens when a runner is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remit.sandbox.code.cache import CacheEntry
    from remit.sandbox.code.compiling import CompileBounds
    from remit.sandbox.guest.instance import Instance
    from remit.sandbox.running.runner import ComponentRunner
    from remit.sandbox.running.workers import IsolatingRunner

__all__ = ["CacheEntry", "CompileBounds", "ComponentRunner", "Instance", "IsolatingRunner"]

_HOMES = {
    "CacheEntry": "code.cache",
    "CompileBounds": "code.compiling",
    "ComponentRunner": "running.runner",
    "Instance": "guest.instance",
    "IsolatingRunner": "running.workers",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module at first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only needed at first use

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
