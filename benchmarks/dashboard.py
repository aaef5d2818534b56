"""How soon the dashboard shows something: first contentful paint in a browser, over a home with a long history."""

from __future__ import annotations

import shutil
import statistics
from contextlib import ExitStack

from benchmarks.http import Served
from benchmarks.measure import Benchmark, Figure
from benchmarks.serving import HISTORY, TOKEN

__all__ = ["BENCHMARKS"]

_ROUNDS = 5
_PAINTED = """() => new Promise(done => new PerformanceObserver(list => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) done(entry.startTime);
}).observe({type: "paint", buffered: true}))"""


def _pages() -> list[str]:
    from remit.plugins.dashboard.pages import PAGES  # noqa: PLC0415 - loads the web framework

    return [page.path for page in PAGES if page.nav]


def _first_paint(resources: ExitStack) -> Figure:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this pays for it

    program = shutil.which("chromium")
    assert program is not None, "the dashboard is measured in chromium"
    host, port = Served(resources, "history").address
    url = f"http://{host}:{port}"
    browser = resources.enter_context(sync_playwright()).chromium.launch(executable_path=program, args=["--no-sandbox"])
    resources.callback(browser.close)
    paints: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        context = browser.new_context(base_url=url)  # an empty cache each time
        context.add_cookies([{"name": "remit_token", "value": TOKEN, "url": url}])
        for path in _pages():
            page = context.new_page()
            page.goto(path, wait_until="load")
            paints.setdefault(path, []).append(page.evaluate(_PAINTED))
            page.close()
        context.close()
    found = {path: statistics.median(values) for path, values in paints.items()}
    slowest = max(found, key=lambda path: found[path])
    others = {path: value for path, value in found.items() if path != slowest}
    return Figure(found[slowest], "ms", {"the median page": statistics.median(others.values())}, _ROUNDS)


BENCHMARKS = (
    Benchmark(
        "dashboard.first_paint",
        f"first paint of the slowest page with {HISTORY:,} events",
        "≤ 1,000 ms",
        "First contentful paint as chromium reports it, from the request on, for every page of the navigation; the "
        "median of each page's rounds, each with an empty cache, and of these the largest.",
        _first_paint,
    ),
)
