"""``http.fetch`` against servers on loopback: what goes out, what is let in, what the ledger says."""

from __future__ import annotations

import base64
import gzip
import itertools
import threading
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import DiskFull
from remit.sandbox.egress.exchange import MAX_BODY
from remit.sandbox.interfaces.http import MAX_HEADERS, MAX_REQUEST, Http
from tests.sandbox.interfaces.exchanges import fetch, response

# ---- what goes out and comes in ----


def test_a_get_gives_status_headers_and_body(serving, granting, ask):
    server = serving(response("grüße".encode(), b"201 Created", b"X-Thing: 1", b"Connection: close"))
    answer = ask(granting(server.origin), "http.fetch", fetch(f"{server.origin}/a?b=1#c", headers=[("X-Mine", "yes")]))
    assert answer.value == {"status": 201, "headers": [("x-thing", "1")], "body": "grüße", "body-encoding": "utf8"}
    head = server.requests[0].decode()
    assert head.startswith("GET /a?b=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert "X-Mine: yes\r\n" in head


def test_a_post_carries_its_body_and_binary_travels_as_base64(serving, granting, ask):
    server = serving(response(b"\xff\x00"))
    sent = base64.b64encode(b"\x00\xfe").decode()
    answer = ask(granting(server.origin), "http.fetch", fetch(server.origin, "POST", body=sent, encoding="base64"))
    assert server.requests[0].endswith(b"\r\n\r\n\x00\xfe")
    assert (answer.value["body-encoding"], base64.b64decode(answer.value["body"])) == ("base64", b"\xff\x00")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies_arrive_plain(serving, granting, ask, coding):
    packed = gzip.compress(b"hello" * 1000) if coding == "gzip" else zlib.compress(b"hello" * 1000)
    server = serving(response(packed, b"200 OK", b"Content-Encoding: " + coding.encode()))
    answer = ask(granting(server.origin), "http.fetch", fetch(server.origin))
    assert answer.value["body"] == "hello" * 1000
    assert [name for name, _ in answer.value["headers"]] == []


# ---- the ledger ----


def test_an_idempotent_attempt_is_journalled_once_after_it(serving, granting, ask):
    server = serving()
    scope = granting(server.origin)
    ask(scope, "http.fetch", fetch(f"{server.origin}/secret?key=1"))
    ((kind, data, waited),) = scope.record.entries
    assert (kind, waited) == ("egress.allowed", False)
    expected = {"unit": "acme/guest", "method": "GET", "scheme": "http", "host": "127.0.0.1", "port": server.port}
    assert expected.items() <= data.items()
    assert (data["address"], data["status"], data["grant"]) == ("127.0.0.1", 200, "g1")
    assert data["policies"] == ["p2", "p3"]
    assert data["sent"] == len(server.requests[0])
    assert data["received"] > 0
    assert data["duration_us"] >= 0
    assert "secret" not in str(data)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_not_idempotent_is_intended_durably_before_it_is_sent(serving, granting, ask, method):
    server = serving()
    scope = granting(server.origin)
    ask(scope, "http.fetch", fetch(server.origin, method, body="abc"))
    (first, intent, waited), (second, outcome, _) = scope.record.entries
    assert (first, waited, intent["bytes"]) == ("egress.intended", True, 3)
    assert (second, outcome["intent"]) == ("egress.allowed", intent["id"])


def test_an_intent_that_cannot_be_written_keeps_the_request_back(serving, granting, ask):
    server = serving()
    scope = granting(server.origin)

    def full(_draft, _wait):
        raise DiskFull("no room")

    scope.record = full
    with pytest.raises(DiskFull):
        ask(scope, "http.fetch", fetch(server.origin, "POST"))
    assert server.requests == []


def test_a_failed_attempt_is_in_the_ledger_too(serving, granting, ask):
    server = serving(b"nonsense\r\n\r\n")
    scope = granting(server.origin)
    assert ask(scope, "http.fetch", fetch(server.origin)).code == "unavailable"
    assert scope.record.of("egress.allowed")[0]["code"] == "unavailable"


def test_a_denied_attempt_is_noted_with_its_tries_and_policies(serving, new_scope, ask):
    server = serving()
    scope = new_scope()
    scope.authority.granted.add(("net:http", server.origin))
    for _ in range(3):
        assert ask(scope, "http.fetch", fetch(server.origin)).code == "denied"
    (note,) = scope.notes
    assert (note.type, note.data["resource"], note.data["tries"]) == ("egress.denied", server.origin, 3)
    assert "loopback" in note.data["reason"]
    assert note.data["policies"] == ["p4"]
    assert server.requests == []


def test_bytes_are_charged_both_ways(serving, granting, ask):
    server = serving(response(b"x" * 1000))
    scope = granting(server.origin)
    both_ways = len("/") + 100 + len("content-length1000") + 1000
    scope.authority.bytes_left = both_ways + 4
    assert ask(scope, "http.fetch", fetch(server.origin, "POST", body="a" * 100)).value["status"] == 200
    assert scope.charges["g1"] == [1, both_ways, 0, 0]
    assert ask(scope, "http.fetch", fetch(server.origin, "POST", body="abcd")).code == "exhausted"
    assert len(server.requests) == 1
    assert ask(scope, "http.fetch", fetch(server.origin, "POST", headers=[("a", "bcd")])).code == "exhausted"
    assert ask(scope, "http.fetch", fetch(f"{server.origin}/abcd")).code == "exhausted"
    assert len(server.requests) == 1
    assert ask(scope, "http.fetch", fetch(server.origin, "POST", body="abc")).code == "exhausted"
    assert len(server.requests) == 2


# ---- where it may go ----


def test_a_name_is_looked_up_once_and_the_connection_pinned_to_the_answer(serving, granting, ask):
    server = serving()
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    asked = []

    def rebinding(host, port, _seconds):
        asked.append((host, port))
        return answers.pop(0)

    origin = f"http://rebind.example:{server.port}"
    answer = ask(granting(origin), "http.fetch", fetch(origin), resolver=rebinding)
    assert answer.value["status"] == 200
    assert asked == [("rebind.example", server.port)]
    assert f"Host: rebind.example:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.216.34", "169.254.169.254"], ["::ffff:127.0.0.1"]])
def test_one_special_address_spoils_the_name(new_scope, ask, addresses):
    scope = new_scope()
    scope.authority.granted.add(("net:http", "https://api.example"))
    refused = ask(scope, "http.fetch", fetch("https://api.example"), resolver=lambda *_: addresses)
    assert refused.code == "denied"
    assert scope.record.entries == []


def test_a_redirect_is_checked_like_a_request(serving, granting, ask):
    target = serving(response(b"there"))
    server = serving(response(b"", b"302 Found", b"Location: " + f"{target.origin}/x".encode()))
    keys = [("Authorization", "Bearer k"), ("X-Api-Key", "k"), ("Accept", "text/plain")]
    scope = granting(server.origin)
    assert ask(scope, "http.fetch", fetch(server.origin, headers=keys)).code == "denied"
    assert target.requests == []
    scope = granting(server.origin, target.origin)
    assert ask(scope, "http.fetch", fetch(server.origin, headers=keys)).value["body"] == "there"
    assert b"Bearer" in server.requests[1]
    assert b"Bearer" not in target.requests[0]
    assert b"X-Api-Key" not in target.requests[0]
    assert b"Accept: text/plain" in target.requests[0]
    assert len(scope.record.of("egress.allowed")) == 2


def test_a_redirected_post_becomes_a_get_or_stays_as_the_status_says(serving, granting, ask):
    for status, expected in (("303 See Other", b"GET /y"), ("307 Temporary Redirect", b"POST /y")):
        server = serving(response(b"", status.encode(), b"Location: /y"), response())
        ask(granting(server.origin), "http.fetch", fetch(server.origin, "POST", body="abc"))
        assert server.requests[1].startswith(expected)
        assert server.requests[1].endswith(b"abc") == (b"POST" in expected)


def test_redirects_come_to_an_end(serving, granting, ask):
    server = serving(response(b"", b"302 Found", b"Location: /again"))
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code == "exhausted"
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x.example", "http://u:p@x.example", "http://[::1"])
def test_a_redirect_out_of_http_is_denied(serving, granting, ask, location):
    server = serving(response(b"", b"302 Found", b"Location: " + location.encode()))
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code in {"denied", "unavailable"}
    assert len(server.requests) == 1


# ---- what is refused before anybody is asked ----


@pytest.mark.parametrize("header", [
    ("Host", "evil.example"), ("Content-Length", "0"), ("Transfer-Encoding", "chunked"), ("Connection", "upgrade"),
    ("Upgrade", "h2c"), ("Expect", "100-continue"), ("Proxy-Authorization", "x"), ("TE", "trailers"),
    ("X-A", "a\r\nX-B: b"), ("X-A", "a\nb"), ("X-A", "a\0b"), ("X-A\r\nX-B", "b"), ("X A", "b"), ("", "b"),
    ("X-A:", "b"), ("X-A", " b"), ("X-A", "b\t"), ("X-A", "snow\u2603man"), ("\u2169-A", "b"),
])  # fmt: skip
def test_a_header_that_frames_or_smuggles_is_refused(granting, ask, header):
    scope = granting("https://api.example")
    assert ask(scope, "http.fetch", fetch("https://api.example", headers=[header])).code == "invalid"
    assert scope.authority.used == []


@pytest.mark.parametrize("request_", [
    fetch("https://a.example", "CONNECT"), fetch("https://a.example", "TRACE"), fetch("https://a.example", "G\r\nX: y"),
    fetch("https://a.example", "M" * 21), fetch("https://a.example", body="!", encoding="base64"),
    fetch("https://a.example", body="x" * (MAX_REQUEST + 1)),
    fetch("https://a.example", headers=[("a", "b")] * (MAX_HEADERS + 1)),
    fetch("https://a.example", headers=[("a", "b" * 17_000)]),
])  # fmt: skip
def test_a_request_beyond_its_bounds_is_refused(granting, ask, request_):
    scope = granting("https://a.example")
    assert ask(scope, "http.fetch", request_).code == "invalid"
    assert scope.authority.used == []


TEXT = st.one_of(st.text(max_size=30), st.sampled_from(["https://a.example/", "http://127.0.0.1:1", "GET", "POST"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture only makes scopes
@given(
    url=st.one_of(TEXT, TEXT.map("https://a.example{}".format), TEXT.map("http://{}".format)),
    method=TEXT,
    headers=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    body=TEXT,
    encoding=st.sampled_from(["utf8", "base64"]),
)
def test_whatever_is_asked_is_answered(new_scope, url, method, headers, body, encoding):
    scope = new_scope()
    scope.authority.granted = Everything()
    request_ = fetch(url, method, headers, body, encoding)
    answer = Http(lambda *_: ["192.0.2.1"]).functions["fetch"](scope, request_)
    assert answer.code in {"invalid", "denied"}


class Everything(set):
    def __contains__(self, _item):
        return True


# ---- what servers may do to us ----


def test_a_body_that_is_too_large_is_cut_off(serving, granting, ask):
    server = serving(response(b"x" * (MAX_BODY + 1)))
    assert ask(granting(server.origin, deadline_ms=20_000), "http.fetch", fetch(server.origin)).code == "exhausted"


def test_a_body_of_exactly_the_bound_is_let_in(serving, granting, ask):
    server = serving(response(b"x" * MAX_BODY))
    answer = ask(granting(server.origin, deadline_ms=20_000), "http.fetch", fetch(server.origin))
    assert len(answer.value["body"]) == MAX_BODY


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_decompression_bomb_is_defused(serving, granting, ask, coding):
    packer = zlib.compressobj(9, wbits=31 if coding == b"gzip" else 15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    server = serving(response(bomb, b"200 OK", b"Content-Encoding: " + coding))
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code == "exhausted"


@pytest.mark.parametrize(("body", "headers"), [
    (b"not gzip", [b"Content-Encoding: gzip"]), (gzip.compress(b"x" * 100, mtime=0)[:-9], [b"Content-Encoding: gzip"]),
    (b"x", [b"Content-Encoding: br"]), (b"x", [b"Content-Encoding: gzip, gzip"]),
    (b"x", [b"Content-Length: 7"]), (b"x", [b"Bad Header"]),
])  # fmt: skip
def test_a_malformed_response_is_unavailable(serving, granting, ask, body, headers):
    server = serving(response(body, b"200 OK", *headers))
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code == "unavailable"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_a_server_that_drips_meets_the_deadline(serving, granting, ask, first):
    server = serving()
    server.answers = [server.drip(first, b"x" if first else b"")]
    refused = ask(granting(server.origin), "http.fetch", fetch(server.origin, timeout=200))
    assert refused.code == "timed-out"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cancelled_call_does_not_wait_for_the_server(serving, granting, ask, scheme):
    server = serving(lambda *_: threading.Event().wait(10))
    origin = server.origin.replace("http", scheme)
    scope = granting(origin, deadline_ms=3_600_000)
    asked = itertools.count()
    scope.cancelled = lambda: next(asked) > 5  # by then it waits: for the handshake, or for the response
    assert ask(scope, "http.fetch", fetch(origin)).code == "timed-out"
    assert scope.record.of("egress.allowed")[0]["address"] == "127.0.0.1"


def test_interim_responses_without_end_are_cut_off(serving, granting, ask):
    server = serving()
    server.answers = [server.drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1000, 0)]
    assert ask(granting(server.origin, deadline_ms=20_000), "http.fetch", fetch(server.origin)).code == "exhausted"


def test_headers_without_end_are_cut_off(serving, granting, ask):
    server = serving()
    server.answers = [server.drip(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 10_000 + b"\r\n", 0)]
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code == "unavailable"


def test_nobody_at_home_is_unavailable(serving, granting, ask):
    server = serving()
    server.close()
    scope = granting(server.origin)
    assert ask(scope, "http.fetch", fetch(server.origin)).code == "unavailable"
    assert scope.record.of("egress.allowed")[0]["address"] == ""


def test_a_grant_revoked_in_the_middle_ends_the_download(serving, granting, ask):
    scope = None

    def revoking(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        scope.authority.granted.clear()
        connection.sendall(b"half")

    server = serving(revoking)
    scope = granting(server.origin)
    assert ask(scope, "http.fetch", fetch(server.origin)).code == "denied"
