"""The sandbox's hooks: a runner for components, and the host interfaces that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.journal.checks import Check
    from remit.kernel.model import Program
    from remit.kernel.ports import Authority, Home, Runner
    from remit.kernel.scope import HostInterface

__all__ = ["remit_doctor_checks", "remit_host_interfaces", "remit_runner"]


@hookimpl
def remit_runner(home: Home, abi: str, authority: Authority) -> Runner | None:
    """The component runner, its code cache below the home's cache; in workers, whom policy keeps out of the kernel."""
    if abi != "component":
        return None
    from remit.sandbox.running.runner import ComponentRunner  # noqa: PLC0415 - wasmtime loads when a runner is wanted
    from remit.sandbox.running.wire import Start  # noqa: PLC0415 - as above
    from remit.sandbox.running.workers import IsolatingRunner  # noqa: PLC0415 - as above

    folder = home.cache / "code"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = home.secret("code-cache")

    def isolate(program: Program) -> bool:
        return not authority.inline(program.unit)

    return IsolatingRunner(ComponentRunner(folder, key, home.clock), Start(str(folder), key), isolate)


@hookimpl
def remit_host_interfaces(home: Home) -> Mapping[str, HostInterface]:
    """Every interface of the world that has functions."""
    from remit.sandbox.interfaces import all_interfaces  # noqa: PLC0415 - as above

    return all_interfaces(home)


@hookimpl
def remit_doctor_checks(home: Home) -> list[Check]:
    """The cache of compiled code."""
    from remit.sandbox.code.checks import cache_check  # noqa: PLC0415 - as above

    return [cache_check(home)]
