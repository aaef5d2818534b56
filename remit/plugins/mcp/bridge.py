"""The bridge that the command line uses. It loads the SDK when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remit.host import Caller, Facade, RemoteTool

__all__ = ["Bridge"]


class Bridge:
    """See :class:`remit.host.AgentBridge`."""

    def serve(self, facade: Facade, caller: Caller) -> None:
        """Serve the program at our standard input and output."""
        from remit.plugins.mcp.stdio import serve  # noqa: PLC0415 - loads the SDK

        serve(facade, caller)

    def remote_tools(self, root: Path, server: str) -> list[RemoteTool]:
        """The tools of a server that ``remit.toml`` names.

        :raises AgentServerUnknown: if it names none so
        :raises AgentServerFailed: if it does not answer as the protocol wants
        """
        from remit.plugins.mcp.remote import tools_now  # noqa: PLC0415 - loads the SDK

        return tools_now(root, server)
