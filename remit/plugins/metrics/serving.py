"""``/metrics``: the façade asked on behalf of the caller, and the answer encoded as the scraper wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from remit.host import Caller, Facade
from remit.plugins.metrics.series import Facts, families

__all__ = ["endpoint", "gather"]


class _Given:
    """A collector of one scrape."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        return families(self._facts)


def gather(facade: Facade, caller: Caller) -> Facts:
    """What the series are made of.

    :raises Denied: if the caller may not read the home
    """
    return {
        "totals": facade.state("metrics", caller=caller),
        "home": msgspec.to_builtins(facade.home(caller=caller)),
        "bus": facade.bus(caller=caller),
        "subscriptions": facade.subscriptions(caller=caller),
        "leases": msgspec.to_builtins(facade.leases(caller=caller)),
    }


def endpoint(facade: Facade) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a home: text format 0.0.4, or OpenMetrics for whoever accepts it."""

    async def metrics(request: Request) -> Response:
        caller: Any = request.state.caller
        facts = await run_sync(gather, facade, caller)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Given(facts))
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=kind)

    return metrics
