"""Every series that ``/metrics`` has, in one table, and how its samples are made. Pure: facts in, families out.

``docs/observability.md`` lists the same; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from remit.host.models import BOUNDS_US
from remit.plugins.metrics.totals import MOST, OTHER

__all__ = ["SERIES", "Facts", "Series", "families"]

Facts = Mapping[str, Any]
"""``totals`` (the read model ``metrics``), ``home``, ``bus``, ``subscriptions``, ``leases``: as the façade has them."""
_MICRO = 1e-6


class Sample(NamedTuple):
    """A value under the values of the labels; of a histogram the cumulated buckets and the sum."""

    labels: tuple[str, ...]
    value: float = 0
    buckets: tuple[tuple[str, float], ...] = ()


class Series(NamedTuple):
    """One series."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    words: str
    samples: Callable[[Facts], Iterable[Sample]]


def _one(value: Callable[[Facts], float]) -> Callable[[Facts], Iterable[Sample]]:
    return lambda facts: [Sample((), value(facts))]


def _calls(facts: Facts) -> Iterator[Sample]:
    for name, use in facts["totals"]["calls"].items():
        for outcome in ("completed", "failed", "denied"):
            yield Sample((name, outcome), use[outcome])


def _durations(facts: Facts) -> Iterator[Sample]:
    bounds = [*(str(bound * _MICRO) for bound in BOUNDS_US), "+Inf"]
    for name, use in facts["totals"]["calls"].items():
        buckets = tuple(zip(bounds, map(float, accumulate(use["buckets"])), strict=True))
        yield Sample((name,), use["total_us"] * _MICRO, buckets)


def _by_name(table: str) -> Callable[[Facts], Iterable[Sample]]:
    return lambda facts: [Sample((name,), count) for name, count in facts["totals"][table].items()]


def _reach(*columns: str) -> Callable[[Facts], Iterable[Sample]]:
    def samples(facts: Facts) -> Iterator[Sample]:
        for unit, reach in facts["totals"]["egress"].items():
            yield from (Sample((unit, column), reach[column]) for column in columns)

    return samples


def _dropped(facts: Facts) -> list[Sample]:
    return [Sample((policy,), facts["bus"]["dropped"].get(policy, 0)) for policy in ("oldest", "newest", "coalesce")]


def _waiting(facts: Facts) -> float:
    return float(max((one["lag"] for one in facts["bus"]["subscriptions"]), default=0))


def _durable(*columns: tuple[str, str]) -> Callable[[Facts], Iterable[Sample]]:
    """Columns of the durable subscriptions, each with a label's value or ""; those beyond the bound are added up."""

    def samples(facts: Facts) -> list[Sample]:
        found: dict[tuple[str, ...], float] = {}
        for place, one in enumerate(sorted(facts["subscriptions"], key=lambda one: one["name"])):
            for column, word in columns:
                labels = (one["name"] if place < MOST else OTHER, *([word] if word else []))
                found[labels] = found.get(labels, 0) + one[column]
        return [Sample(labels, value) for labels, value in found.items()]

    return samples


def _grants(facts: Facts) -> list[Sample]:
    found = [one["state"] for one in facts["leases"]]
    return [Sample((state,), found.count(state)) for state in ("standing", "revoked")]


def _leased(facts: Facts) -> float:
    return float(sum(one["lease_until_ms"] is not None for one in facts["leases"] if one["state"] == "standing"))


SERIES: tuple[Series, ...] = (
    Series("remit_calls_total", "counter", ("action", "outcome"), "Calls that ended, by action and outcome.", _calls),
    Series(
        "remit_call_duration_seconds", "histogram", ("action",), "How long calls took; refused ones are not in it.",
        _durations,
    ),
    Series(
        "remit_refusals_total", "counter", ("code",), "What policy, a lease, a budget or the gate refused, by code.",
        _by_name("refusals"),
    ),
    Series(
        "remit_egress_requests_total", "counter", ("unit", "outcome"), "Requests of units to the outside.",
        _reach("allowed", "denied", "failed"),
    ),
    Series(
        "remit_egress_bytes_total", "counter", ("unit", "direction"), "Bytes that those requests carried.",
        _reach("sent", "received"),
    ),
    Series(
        "remit_plugin_failures_total", "counter", ("plugin",), "Hooks of plugins that failed.", _by_name("plugins")
    ),
    Series(
        "remit_journal_head", "gauge", (), "Sequence number of the journal's last record.",
        _one(lambda facts: facts["home"]["head"]),
    ),
    Series(
        "remit_generation", "gauge", (), "Number of the active generation.",
        _one(lambda facts: facts["home"]["generation"]),
    ),
    Series(
        "remit_bus_published_total", "counter", (), "Records handed to the bus since the kernel started.",
        _one(lambda facts: facts["bus"]["published"]),
    ),
    Series(
        "remit_bus_delivered_total", "counter", (), "Records that live subscriptions took.",
        _one(lambda facts: facts["bus"]["delivered"]),
    ),
    Series(
        "remit_bus_dropped_total", "counter", ("policy",), "Records that full mailboxes shed, by what they shed first.",
        _dropped,
    ),
    Series(
        "remit_bus_subscriptions", "gauge", (), "Live subscriptions.",
        _one(lambda facts: len(facts["bus"]["subscriptions"])),
    ),
    Series("remit_bus_lag_records", "gauge", (), "Records that wait for the slowest of them.", _one(_waiting)),
    Series(
        "remit_deliveries_total", "counter", ("subscription", "outcome"), "Durable deliveries that were settled.",
        _durable(("delivered", "delivered"), ("retried", "retried")),
    ),
    Series(
        "remit_dead_letters", "gauge", ("subscription",), "Events that could not be delivered and wait for a person.",
        _durable(("dead", "")),
    ),
    Series(
        "remit_delivery_lag_records", "gauge", ("subscription",), "Records that a durable subscription has yet to see.",
        _durable(("lag", "")),
    ),
    Series("remit_grants", "gauge", ("state",), "Grants of the active generation.", _grants),
    Series("remit_leases", "gauge", (), "Standing grants with a live lease.", _one(_leased)),
)  # fmt: skip
"""In the order of the documentation."""


def families(facts: Facts) -> Iterator[Metric]:
    """The series with their samples, as prometheus-client encodes them."""
    for series in SERIES:
        yield _family(series, facts)


def _family(series: Series, facts: Facts) -> Metric:
    if series.kind == "histogram":
        histogram = HistogramMetricFamily(series.name, series.words, labels=series.labels)
        for sample in series.samples(facts):
            histogram.add_metric(sample.labels, list(sample.buckets), sample.value)
        return histogram
    kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
    family = kind(series.name, series.words, labels=series.labels)
    for sample in series.samples(facts):
        family.add_metric(sample.labels, sample.value)
    return family
