"""The endpoint before its first request: serving a home does not load the SDK until an agent asks for it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from remit.host import Facade
    from remit.plugins.mcp.web import Endpoint

__all__ = ["LateEndpoint"]


class LateEndpoint:
    """See :class:`remit.plugins.mcp.web.Endpoint`."""

    def __init__(self, facade: Facade) -> None:
        self._facade = facade
        self._loading = threading.Lock()
        self._loaded: Endpoint | None = None

    async def answer(self, request: Request) -> Response:
        """The endpoint."""
        endpoint = self._loaded
        if endpoint is None:
            endpoint = await asyncio.to_thread(self._load)
        return await endpoint.answer(request)

    def _load(self) -> Endpoint:
        with self._loading:
            if self._loaded is None:
                from remit.plugins.mcp.web import Endpoint  # noqa: PLC0415 - loads the SDK

                self._loaded = Endpoint(self._facade)
            endpoint: Endpoint = self._loaded
            return endpoint
