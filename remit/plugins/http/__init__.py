"""HTTP: a home's three nouns, ``/state``, ``/events`` and ``/actions``, for programs (design 5.6).

Every request becomes one operation of the façade, on behalf of the operator whose token it carries; nothing is decided
here. Importing this loads no web framework: the hook does, when a service is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.host import Facade, Offers, ServiceOptions
    from remit.plugins.http.server import HttpService

__all__ = ["remit_web_service"]


@hookimpl
def remit_web_service(facade: Facade, options: ServiceOptions, offers: Offers) -> HttpService | None:
    """Serve HTTP, where the extra ``http`` is installed."""
    try:
        from remit.plugins.http.server import HttpService  # noqa: PLC0415 - loads the web framework
    except ModuleNotFoundError as error:
        if error.name not in {"httptools", "sse_starlette", "starlette", "uvicorn"}:
            raise
        return None
    return HttpService(facade, options, offers)
