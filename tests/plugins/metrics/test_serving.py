"""``/metrics`` as a scraper sees it: parsed back by the official client, checked against what was done."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed

from remit.errors import RemitError
from remit.plugins.metrics import remit_http_routes
from remit.plugins.metrics.series import SERIES

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


@pytest.fixture
def scrape(kernel, hang_up):
    """The samples of a scrape by name and labels."""
    client = hang_up(remit_http_routes(kernel))

    def samples():
        text = client.get("/metrics").raise_for_status().text
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parsed(text)
            for sample in family.samples
        }

    return samples


def test_calls_are_counted_by_action_and_outcome_with_their_durations(kernel, scrape):
    for _ in range(3):
        kernel.call("acme/echo:echo", {"text": "x"})
    with pytest.raises(RemitError):
        kernel.call("acme/loop:spin")
    found, action = scrape(), ("action", "acme/echo:echo")
    assert found["remit_calls_total", action, ("outcome", "completed")] == 3
    assert found["remit_call_duration_seconds_count", action] == 3
    assert found["remit_call_duration_seconds_bucket", action, ("le", "+Inf")] == 3
    assert 0 < found["remit_call_duration_seconds_sum", action] < 60
    assert found["remit_calls_total", ("action", "acme/loop:spin"), ("outcome", "failed")] == 1


def test_the_head_and_the_bus_are_those_of_now(kernel, scrape):
    with kernel.subscribe(prefixes=["ticket."]) as feed:
        kernel.emit("ticket.created")
        assert len(feed.receive(wait_ms=5_000).records) == 1
    found = scrape()
    assert found["remit_journal_head",] == kernel.home().head
    assert found["remit_bus_delivered_total",] == 1
    assert found["remit_bus_subscriptions",] == 0
    assert found["remit_generation",] == 1


def test_durable_subscriptions_show_their_dead_letters(kernel, scrape):
    jobs = kernel.jobs("mail", "ticket.created", attempts=1)
    kernel.emit("ticket.created")
    [job] = jobs.take(wait_ms=5_000)
    job.bury("no address")
    found = scrape()
    assert found["remit_dead_letters", ("subscription", "mail")] == 1


def test_who_may_not_read_the_home_gets_no_numbers(kernel, hang_up):
    answer = hang_up(remit_http_routes(kernel), "stranger").get("/metrics")
    assert answer.status_code == 403
    assert answer.json()["code"].startswith("RM-")


def test_openmetrics_is_spoken_to_whoever_accepts_it(kernel, hang_up):
    kernel.call("acme/echo:echo", {"text": "x"})
    client = hang_up(remit_http_routes(kernel))
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(answer.text)} >= {"remit_calls", "remit_journal_head"}


def test_the_scrape_has_the_series_of_the_table_and_of_the_docs_and_no_others(kernel, hang_up):
    text = hang_up(remit_http_routes(kernel)).get("/metrics").text
    exposed = {(name, kind) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}
    documented = re.findall(
        r"^\| `(remit_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", (DOCS / "observability.md").read_text(), re.MULTILINE
    )
    assert exposed == {(series.name, series.kind) for series in SERIES}
    assert [
        (name, kind, re.findall(r"`(\w+)`", labels), words.strip()) for name, kind, labels, words in documented
    ] == [(series.name, series.kind, list(series.labels), series.words) for series in SERIES]


def test_the_dashboard_asks_for_nothing_that_is_not_exposed():
    board = json.loads((DOCS / "grafana" / "remit.json").read_text())
    known = {
        (series.name + suffix, *(["le"] if suffix == "_bucket" else []), *series.labels)
        for series in SERIES
        for suffix in (("_bucket", "_sum", "_count") if series.kind == "histogram" else ("",))
    }
    labels = {name: set(rest) for name, *rest in known}
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 8
    for query in queries:
        names = re.findall(r"\bremit_\w+", query)
        assert names, query
        for name in names:
            assert name in labels, query
        for group in re.findall(r"by \(([^)]*)\)", query):
            assert {word.strip() for word in group.split(",")} <= set.union(*(labels[name] for name in names)), query
