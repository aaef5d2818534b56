"""The bridge that the command line uses. It loads the SDK when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remit.host import Caller, Facade

__all__ = ["Bridge"]


class Bridge:
    """See :class:`remit.host.AgentBridge`."""

    def serve(self, facade: Facade, caller: Caller) -> None:
        """Serve the program at our standard input and output."""
        from remit.plugins.mcp.stdio import serve  # noqa: PLC0415 - loads the SDK

        serve(facade, caller)
