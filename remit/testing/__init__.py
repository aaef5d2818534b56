"""For tests of plugins, units and programs that embed Remit: homes, clocks and capabilities that are simulated whole.

The pytest fixtures are in :mod:`remit.testing.plugin`, which pytest loads by itself where Remit is installed; so this
face loads what is behind it on first use. These are simulators, not mocks: a kernel in a test is the kernel, and a
simulated capability is still under policy and leases.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remit.testing.capabilities import FakeHttp, Reply
    from remit.testing.clock import VirtualClock
    from remit.testing.events import Events
    from remit.testing.publishing import RunningRegistry, TrustDomain

__all__ = ["Events", "FakeHttp", "Reply", "RunningRegistry", "TrustDomain", "VirtualClock"]

_HOMES = {
    "Events": "events",
    "FakeHttp": "capabilities",
    "Reply": "capabilities",
    "RunningRegistry": "publishing",
    "TrustDomain": "publishing",
    "VirtualClock": "clock",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
