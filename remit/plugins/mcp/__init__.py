"""MCP, the Model Context Protocol: our actions as tools for agents, and other servers' tools as actions.

Every request becomes one operation of the façade, on behalf of whoever sent it. Importing this loads neither the SDK
nor a web framework: the hooks do.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from remit.host.offers import Route, Service
from remit.kernel.hookspecs import hookimpl
from remit.plugins.mcp.late import LateEndpoint

if TYPE_CHECKING:
    from remit.host import AgentBridge, Facade
    from remit.kernel.ports import Home

__all__ = ["remit_agent_bridge", "remit_http_routes", "remit_services"]


@hookimpl
def remit_http_routes(kernel: Facade) -> Sequence[Route] | None:
    """``/mcp``, where the extra ``mcp`` is installed."""
    if find_spec("mcp") is None:
        return None
    return [
        Route(
            path="/mcp",
            endpoint=LateEndpoint(kernel).answer,
            methods=("GET", "POST", "DELETE"),
            summary="The Model Context Protocol, over streamable HTTP.",
        )
    ]


@hookimpl
def remit_services(home: Home) -> Sequence[Service] | None:
    """The pinned tools of the servers that ``remit.toml`` names, where the extra ``mcp`` is installed."""
    if not home.config.mcp or find_spec("mcp") is None:
        return None
    from remit.plugins.mcp.remote import services  # noqa: PLC0415 - loads the SDK

    return services(home)


@hookimpl
def remit_agent_bridge() -> AgentBridge | None:
    """The bridge, where the extra ``mcp`` is installed."""
    if find_spec("mcp") is None:
        return None
    from remit.plugins.mcp.bridge import Bridge  # noqa: PLC0415 - beside what it loads when it is used

    return Bridge()
