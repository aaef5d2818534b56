"""The sandbox's hooks: a runner for components, and the host interfaces that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.kernel.ports import Home, Runner
    from remit.kernel.scope import HostInterface

__all__ = ["remit_host_interfaces", "remit_runner"]


@hookimpl
def remit_runner(home: Home, abi: str) -> Runner | None:
    """The component runner, its code cache below the home's cache."""
    if abi != "component":
        return None
    from remit.sandbox.runner import ComponentRunner  # noqa: PLC0415 - wasmtime loads when a runner is wanted

    folder = home.cache / "code"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ComponentRunner(folder, home.secret("code-cache"), home.clock)


@hookimpl
def remit_host_interfaces(home: Home) -> Mapping[str, HostInterface]:
    """Every interface of the world that has functions."""
    from remit.sandbox.interfaces import all_interfaces  # noqa: PLC0415 - as above

    return all_interfaces(home)
