"""Metrics: a home's counters as Prometheus text at ``/metrics``, for whoever may read the home.

What is counted is a fold of the journal, so that a counter survives the process; the rest is asked of the façade at
each scrape. Nothing is pushed, nothing is global, and no hostile name makes more series than :mod:`.totals` allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from remit.host.offers import Route
from remit.kernel.hookspecs import hookimpl
from remit.plugins.metrics.totals import totals

if TYPE_CHECKING:
    from remit.host import Facade
    from remit.journal import Fold

__all__ = ["remit_http_routes", "remit_read_models"]


@hookimpl
def remit_read_models() -> Sequence[Fold[Any]]:
    """The read model ``metrics``."""
    return [totals()]


@hookimpl
def remit_http_routes(kernel: Facade) -> Sequence[Route] | None:
    """``/metrics``, where the extra ``http`` is installed."""
    if find_spec("prometheus_client") is None or find_spec("starlette") is None:
        return None
    from remit.plugins.metrics.serving import endpoint  # noqa: PLC0415 - loads the web framework

    return [Route(path="/metrics", endpoint=endpoint(kernel), summary="Counters, for Prometheus.")]
