"""The host interfaces of the world: what stands behind a unit's imports. Each works on a Scope and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from remit.kernel.scope import HostInterface
from remit.sandbox.interfaces import actions, clock, events, files, http, log, parameters, random, secrets, state
from remit.sandbox.interfaces.base import Interface

__all__ = ["Interface", "all_interfaces"]


def all_interfaces() -> Mapping[str, HostInterface]:
    """Every host interface by its short WIT name."""
    rooms = {
        "actions": actions, "clock": clock, "events": events, "files": files, "http": http, "log": log,
        "parameters": parameters, "random": random, "secrets": secrets, "state": state,
    }  # fmt: skip
    return {name: Interface(module.FUNCTIONS) for name, module in rooms.items()}
