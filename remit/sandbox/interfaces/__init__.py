"""The host interfaces of the world: what stands behind a unit's imports. Each works on a Scope and its home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from remit.kernel.scope import HostInterface
from remit.sandbox.interfaces import actions, clock, events, files, log, parameters, random, state
from remit.sandbox.interfaces.base import Interface
from remit.sandbox.interfaces.http import Http
from remit.sandbox.interfaces.secrets import Secrets

if TYPE_CHECKING:
    from remit.kernel.ports import Home
    from remit.sandbox.egress.names import Resolver

__all__ = ["Interface", "all_interfaces"]


def all_interfaces(home: Home, resolver: Resolver | None = None) -> Mapping[str, HostInterface]:
    """Every host interface of a home by its short WIT name.

    :param resolver: looks names up in place of the system's resolver
    """
    plain = {
        "actions": actions, "clock": clock, "events": events, "files": files, "log": log, "parameters": parameters,
        "random": random, "state": state,
    }  # fmt: skip
    made = {"http": Http(resolver).functions, "secrets": Secrets(home).functions}
    return {name: Interface(functions) for name, functions in made.items()} | {
        name: Interface(module.FUNCTIONS) for name, module in plain.items()
    }
