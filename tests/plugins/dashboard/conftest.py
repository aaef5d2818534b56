"""A served home with a unit that asks for more than it is given, and a browser that looks at it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from remit.host import Kernel, build_unit
from tests.plugins.http.conftest import OWNER, serving

UNITS = Path(__file__).parents[3] / "units" / "wat"


@pytest.fixture(scope="session")
def sneaky(tmp_path_factory):
    """The folder of a unit that reaches for what it was not given."""
    folder = tmp_path_factory.mktemp("units") / "sneaky"
    shutil.copytree(UNITS / "sneaky", folder, ignore=shutil.ignore_patterns("*.wasm"))
    build_unit(folder)
    return folder


@contextmanager
def showing(home, sneaky):
    """A kernel with echo, counter and loop active and sneaky installed, and the URL where it is served."""
    with Kernel.open(home, program="tests") as kernel:
        kernel.install(str(sneaky), allow_unsigned=True)
        kernel.call("acme/counter:increment", 1)
        with serving(kernel, home) as service:
            yield kernel, service.url


@pytest.fixture
def shown(active_home, sneaky):
    """A kernel and its URL, for a test that changes something."""
    with showing(active_home, sneaky) as found:
        yield found


@pytest.fixture(scope="module")
def standing(tmp_path_factory, active_template, sneaky):
    """A kernel and its URL, for tests that change nothing."""
    with showing(shutil.copytree(active_template, tmp_path_factory.mktemp("standing") / "home"), sneaky) as found:
        yield found


@pytest.fixture
def shots(request):
    """Where a test keeps its screenshots: below ``build/``, which stays after the run."""
    folder = Path(__file__).parents[3] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{request.node.name}-{name}.png", full_page=True)


@pytest.fixture
def browser(program):
    """A browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only these tests pay for it

    path = program("chromium")
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser, shown):
    """A page of a browser that has signed in as the owner; what its console complains of fails the test."""
    _, url = shown
    context = browser.new_context(base_url=url, viewport={"width": 1200, "height": 900})
    context.add_cookies([{"name": "remit_token", "value": OWNER, "url": url, "httpOnly": True, "sameSite": "Strict"}])
    made = context.new_page()
    complaints = []
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()
    assert complaints == []
