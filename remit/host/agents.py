"""Agents: what speaks their protocol, as the hook ``remit_agent_bridge`` gives it. How is a plugin's business."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from remit.errors import AgentsMissing
from remit.host.facade.facade import Facade
from remit.host.plugging import Plugins
from remit.kernel.model import Caller
from remit.schemas.config import load_config

__all__ = ["AgentBridge", "RemoteTool", "agent_bridge"]

_BRIDGES = ("remit.plugins.mcp",)


class RemoteTool(msgspec.Struct, frozen=True):
    """A tool that another server offers, as it describes it now."""

    server: str
    """Its name in ``remit.toml``."""
    name: str
    action: str
    """``mcp/SERVER:TOOL``, the action that it becomes: its name in lower case, with hyphens."""
    digest: str
    """Of its whole definition: what a pin holds."""
    pinned: str
    """The digest that ``remit.toml`` holds, or ""."""
    description: str
    input: dict[str, Any]


@runtime_checkable
class AgentBridge(Protocol):
    """Speaks the protocol of agents, in both directions."""

    def serve(self, facade: Facade, caller: Caller) -> None:
        """Serve the program at our standard input and output, on behalf of the caller, until it hangs up."""
        ...

    def remote_tools(self, root: Path, server: str) -> list[RemoteTool]:
        """The tools of a server that ``remit.toml`` names, asked now.

        :raises AgentServerUnknown: if it names none so
        :raises AgentServerFailed: if it does not answer as the protocol wants
        """
        ...


def agent_bridge(root: Path) -> AgentBridge:
    """What speaks the protocol of agents: the latest registered plugin that offers to.

    :raises AgentsMissing: if none does
    """
    disabled = load_config((root / "remit.toml").read_bytes()).plugin.disable
    found = [bridge for _, bridge in Plugins(_BRIDGES, disabled).answers("remit_agent_bridge", AgentBridge)]
    if not found:
        raise AgentsMissing("no plugin speaks the Model Context Protocol here")
    bridge: AgentBridge = found[-1]
    return bridge
