"""Routes of plugins: served under the service's own guard, their faults told as theirs; and the cookie of a browser."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from remit.host import Kernel, Offers, ServiceOptions
from remit.host.offers import Route
from remit.plugins.http.server import HttpService
from tests.plugins.http.conftest import OWNER, running


def who(request):
    return PlainTextResponse(request.state.caller.principal)


async def who_async(request):
    return PlainTextResponse(request.state.caller.principal)


def broken(_request):
    raise ValueError("a fault of the plugin")


async def application(scope, receive, send):
    await Response("from an application")(scope, receive, send)


class Whole:
    async def __call__(self, scope, receive, send):
        await application(scope, receive, send)


ROUTES = [
    Route(path="/who", endpoint=who),
    Route(path="/who-async", endpoint=who_async),
    Route(path="/broken", endpoint=broken),
    Route(path="/whole", endpoint=Whole()),
    Route(path="/open", endpoint=who, public=True),
    Route(path="/change", endpoint=who, methods=("POST",)),
    Route(path="/login", endpoint=who, public=True),
    Route(path="/actions", endpoint=who),
    Route(path="nowhere", endpoint=who),
]


@pytest.fixture
def failures():
    return []


@pytest.fixture
def offered(active_home, failures):
    """The URL of a served home with the routes of a plugin."""
    offers = Offers(
        routes=[("wide", route) for route in ROUTES],
        fail=lambda plugin, what, error: failures.append((plugin, what, type(error).__name__)),
    )
    options = ServiceOptions(root=active_home, port=0, token=OWNER)
    with Kernel.open(active_home) as kernel, running(HttpService(kernel, options, offers)) as service:
        yield service.url


BEARER = {"authorization": f"Bearer {OWNER}"}


@pytest.mark.parametrize(
    ("path", "words"),
    [("/who", "local"), ("/who-async", "local"), ("/whole", "from an application"), ("/open", "nobody")],
)
def test_a_route_answers_on_behalf_of_the_token(offered, path, words):
    assert httpx.get(offered + path, headers=BEARER).text == words


@pytest.mark.parametrize("path", ["/who", "/who-async", "/broken", "/whole"])
def test_a_route_needs_a_token_unless_it_is_public(offered, path):
    assert httpx.get(offered + path).status_code == 401


def test_a_public_route_answers_everybody(offered):
    assert httpx.get(f"{offered}/open").status_code == 200


def test_a_route_that_raises_is_its_plugins_fault(offered, failures):
    answer = httpx.get(f"{offered}/broken", headers=BEARER)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "a fault of the plugin" not in answer.text
    assert ("wide", "route /broken", "ValueError") in failures


def test_an_address_of_the_service_cannot_be_taken(offered, failures):
    assert "actions" in httpx.get(f"{offered}/actions", headers=BEARER).json()
    assert failures.count(("wide", "remit_http_routes", "ValueError")) == 2


def test_the_services_headers_are_on_every_answer(offered):
    assert httpx.get(f"{offered}/who", headers=BEARER).headers["x-content-type-options"] == "nosniff"


def test_a_browser_without_a_token_is_sent_to_where_it_can_give_one(offered):
    answer = httpx.get(f"{offered}/who", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.fixture
def browser(offered):
    """A client that keeps the token in a cookie."""
    with httpx.Client(base_url=offered, cookies={"remit_token": OWNER}) as http:
        yield http


def test_a_cookie_is_a_token(browser):
    assert browser.get("/who").text == "local"


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"origin": "null"}, {"origin": "http://evil.example"}, {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/change", "/events", "/actions/acme/counter/increment"])
def test_a_change_with_a_cookie_has_to_come_from_our_page(browser, headers, path):
    answer = browser.post(path, json={"type": "some.topic"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "RM-8011")


def test_a_change_from_our_page_is_done(browser, offered):
    assert browser.post("/change", headers={"origin": offered}).text == "local"
    assert browser.post("/change", headers={"sec-fetch-site": "same-origin"}).text == "local"


def test_a_wrong_cookie_is_no_token(offered):
    assert httpx.get(f"{offered}/who", cookies={"remit_token": "remit_wrong"}).status_code == 401
