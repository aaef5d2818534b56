"""The native room's hook: a runner for native code, behind the same port as the sandbox's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.kernel.ports import Authority, Home, Runner

__all__ = ["remit_runner"]


@hookimpl
def remit_runner(home: Home, abi: str, authority: Authority) -> Runner | None:
    """The runner of native code, for units that policy lets run here (``unit:native``)."""
    if abi != "native":
        return None
    from remit.native.runner import NativeRunner  # noqa: PLC0415 - few homes have native units

    return NativeRunner(home.ids, authority.native)
