"""What a hostile client meets: refusals of a known form, bounds on time and size, and nothing of the inside."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from remit.host import Kernel
from tests.plugins.http.conftest import OWNER, serving

JSON = {"content-type": "application/json"}
SMUGGLED = (
    b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /state HTTP/1.1\r\n\r\n"
)
PATHS = ["/state", "/state/generations", "/events", "/actions", "/spec/openapi"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {OWNER}", "Bearer " + "x" * 9999])
def test_without_a_known_token_nothing_is_said(served, path, header):
    answer = httpx.get(served + path, headers={} if header is None else {"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "RM-8004")
    assert "www-authenticate" in answer.headers


def test_a_caller_may_call_and_not_look(active_home, operators, speak):
    tokens = operators(bob=["caller"])
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        bob = speak(service.url, tokens["bob"])
        assert bob.post("/actions/acme/echo/echo", json=1).json() == 1
        assert [bob.get(path).status_code for path in ("/state", "/state/leases", "/events")] == [403, 403, 403]


def test_a_viewer_may_look_and_not_call(active_home, operators, speak):
    tokens = operators(eve=["viewer"])
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        eve = speak(service.url, tokens["eve"])
        assert eve.get("/state/leases").status_code == 200
        assert eve.post("/actions/acme/echo/echo", json=1).status_code == 403
        assert eve.get("/actions").json() == {"actions": []}


def test_a_token_taken_out_of_the_file_ends_at_once(active_home, operators, speak):
    tokens = operators(bob=["caller"])
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        bob = speak(service.url, tokens["bob"])
        assert bob.get("/actions").status_code == 200
        config = active_home / "remit.toml"
        config.write_text(config.read_text().split("[operator.bob]")[0])
        assert bob.get("/actions").status_code == 401


def test_a_name_that_was_made_to_lead_here_is_refused(served):
    answer = httpx.get(served + "/healthz", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "RM-8006")


def test_no_other_origin_is_let_in(client):
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = client.options("/events", headers=preflight)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code == 405


def test_a_body_beyond_the_bound_is_refused_before_it_is_read(active_home, speak):
    with Kernel.open(active_home) as kernel, serving(kernel, active_home, body=1_000) as service:
        answer = speak(service.url, OWNER).post("/events", content=b"x" * 2_000, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "RM-8007")


def test_a_body_in_pieces_is_counted_too(active_home, speak):
    pieces = (b"x" * 500 for _ in range(10))
    with Kernel.open(active_home) as kernel, serving(kernel, active_home, body=1_000) as service:
        answer = speak(service.url, OWNER).post("/events", content=pieces, headers=JSON)
    assert answer.status_code == 413


def test_who_asks_too_often_is_told_when_to_come_again(active_home, speak):
    with Kernel.open(active_home) as kernel, serving(kernel, active_home, rate=2) as service:
        http = speak(service.url, OWNER)
        answers = [http.get("/actions") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1


def test_more_connections_than_there_are_places_are_told_so_and_closed(active_home, monkeypatch):
    monkeypatch.setattr("remit.plugins.http.server._MOST_CONNECTIONS", 2)
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        with _connected(service.url) as one, _connected(service.url) as other:
            for wire in (one, other):
                wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b" 200 " in wire.recv(1_000)
            answer = httpx.get(service.url + "/healthz")
        later = httpx.get(service.url + "/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "RM-8013")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.headers["connection"], answer.headers["retry-after"]) == ("close", "1")
    assert later.status_code == 200


def test_a_head_that_never_ends_is_hung_up_on(active_home):
    with (
        Kernel.open(active_home) as kernel,
        serving(kernel, active_home, patience=0.2) as service,
        _connected(service.url) as wire,
    ):
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert _rest(wire) == b""


def test_a_head_without_end_is_hung_up_on_before_it_fills_memory(served):
    sent = 0
    with _connected(served) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with pytest.raises(ConnectionError):  # noqa: PT012 - which of the writes is refused is the system's business
            while sent < 64 << 20:
                sent += wire.send(b"a" * 65536)
    assert sent < 64 << 20


@pytest.mark.parametrize("host", ["[::1", "[", "a" * 5000, "localhost:99999999", "user@evil", "\xff"])
def test_a_host_of_any_form_is_no_fault_of_ours(served, host):
    with _connected(served) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: " + host.encode("latin-1") + b"\r\nConnection: close\r\n\r\n")
        answer = _rest(wire)
    assert b" 500 " not in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "request_",
    [
        SMUGGLED,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=["both lengths", "two lengths", "NUL in a header", "no version", "TLS"],
)
def test_an_ambiguous_request_is_answered_once_and_the_line_closed(served, request_):
    with _connected(served) as wire:
        wire.sendall(request_)
        wire.shutdown(socket.SHUT_WR)
        answer = _rest(wire)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in answer.split(b"\r\n")[0]


def test_a_request_with_two_hosts_is_refused(served):
    with _connected(served) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert _rest(wire).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("value", ["a\tb", "x" * 201])
def test_a_key_that_is_not_well_formed_is_refused(client, value):
    assert client.post("/actions/acme/echo/echo", json=1, headers={"idempotency-key": value}).status_code == 400


def test_a_fault_of_ours_shows_no_inside(active_home, monkeypatch):
    with Kernel.open(active_home) as kernel:
        monkeypatch.setattr(kernel, "models", lambda **_: 1 / 0)
        with serving(kernel, active_home) as service:
            answer = httpx.get(service.url + "/state", headers={"authorization": f"Bearer {OWNER}"})
    assert (answer.status_code, answer.json()["code"]) == (500, "RM-0000")
    assert "Traceback" not in answer.text
    assert "zero" not in answer.text


def _connected(url):
    place = urlsplit(url)
    wire = socket.create_connection((place.hostname, place.port))
    wire.settimeout(15)
    return wire


def _rest(wire):
    found = b""
    try:
        while part := wire.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found
