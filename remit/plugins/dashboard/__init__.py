"""The dashboard: pages that a person looks at, rendered here, served by the ``http`` plugin.

Importing this loads no template engine and no web framework: the hook does, when a service is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.host import Facade
    from remit.host.offers import Route

__all__ = ["remit_http_routes"]


@hookimpl
def remit_http_routes(kernel: Facade) -> Sequence[Route]:
    """The pages, where the extra ``http`` is installed."""
    try:
        from remit.plugins.dashboard.pages import routes  # noqa: PLC0415 - loads the template engine
    except ModuleNotFoundError as error:
        if error.name not in {"jinja2", "starlette"}:
            raise
        return ()
    return routes(kernel)
