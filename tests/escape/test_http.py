"""Requests: a unit with grants of its own reaches for other addresses, and servers send it what ties up or fills."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def served(arena):
    """Sets what the granted server answers, for one test."""

    def answer(*answers):
        arena.server.answers = list(answers)
        arena.server.requests.clear()
        arena.other.requests.clear()
        return arena.server

    yield answer
    arena.server.answers = [OK]


@pytest.fixture
def resolving(monkeypatch):
    """Has names lead to addresses of the test's choice, one answer after the other."""
    real = socket.getaddrinfo

    def choose(*answers):
        left = list(answers)

        def getaddrinfo(host, port, *rest, **more):
            if not str(host).endswith(".example"):
                return real(host, port, *rest, **more)
            found = left.pop(0) if len(left) > 1 else left[0]
            return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return choose


def redirect(location):
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def test_the_prober_gets_what_it_was_granted(arena, attack, served):
    server = served(OK)
    (shown,) = arena.kernel.egress_preview(arena.url("127.0.0.1"), unit="acme/prober")
    assert (shown.outcome, shown.addresses) == ("allowed", {"127.0.0.1": "loopback"})
    assert server.requests == []
    assert attack("fetch", arena.url("127.0.0.1")) == ("answered", '"ok"')
    assert attack("read", f"{arena.granted}/file") == ("answered", '"inside"')


# ---- where requests may go ----

URLS = {
    "another origin": "http://127.0.0.1:1/",
    "another scheme, same host": "ftp://127.0.0.1/",
    "localhost by name": "http://localhost:{port}/",
    "127.1": "http://127.1:{port}/",
    "0x7f.1": "http://0x7f.1:{port}/",
    "2130706433": "http://2130706433:{port}/",
    "0177.0.0.1": "http://0177.0.0.1:{port}/",
    "a mapped address": "http://[::ffff:127.0.0.1]:{port}/",
    "a granted name that is a private address": "http://10.0.0.1:{port}/",
    "the metadata service": "http://169.254.169.254:{port}/latest/meta-data/",
    "user and password before the host": "http://127.0.0.1:{port}@evil.example/",
    "a password in the URL": "http://u:p@127.0.0.1:{port}/",
    "a backslash before the host": "http://127.0.0.1:{port}\\\\@evil.example/",
    "a host with a suffix": "http://127.0.0.1.evil.example:{port}/",
    "port zero": "http://127.0.0.1:0/",
    "a file URL": "file:///etc/passwd",
    "a URL of a megabyte": "http://127.0.0.1:{port}/" + "x" * (1 << 20),
    "a homograph": "http://pinned.ex\u0430mple:{port}/",
    "a zone": "http://[fe80::1%25eth0]:{port}/",
}


@pytest.mark.parametrize("name", URLS)
def test_url(arena, attack, served, ends, name):
    server = served(OK)
    url = URLS[name].format(port=server.port)
    code, _ = attack("fetch", url)
    assert code in {"denied", "invalid"}
    assert [found.outcome for found in arena.kernel.egress_preview(url, unit="acme/prober")] == [code]
    assert server.requests == []
    ends(f"refused: {code}")


LOCATIONS = {
    "redirect to another origin": ("http://127.0.0.1:1/", "denied"),
    "redirect to a private address": ("http://10.0.0.1:{port}/", "denied"),
    "redirect to the metadata service": ("http://169.254.169.254:{port}/", "denied"),
    "redirect to a file": ("file:///etc/passwd", "denied"),
    "redirect to itself, for ever": ("/", "exhausted"),
    "redirect with a password": ("http://u:p@127.0.0.1:{port}/", "denied"),
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_redirect(arena, attack, served, ends, name):
    location, expected = LOCATIONS[name]
    server = served(redirect(location.format(port=arena.server.port)))
    code, _ = attack("fetch", arena.url("127.0.0.1"))
    assert code == expected
    assert len(server.requests) == (6 if expected == "exhausted" else 1)
    ends(f"refused: {code}")


NAMES = {
    "DNS: a public name that leads to a private address": [["192.168.0.1"]],
    "DNS: one private address among public ones": [["93.184.216.34", "10.0.0.1"]],
    "DNS: a mapped loopback address": [["::ffff:127.0.0.1"]],
    "DNS: the metadata service": [["169.254.169.254"]],
    "DNS: a translated private address": [["64:ff9b::a00:1"]],
    "DNS: loopback where policy allows no loopback": [["127.0.0.1"]],
}


@pytest.mark.parametrize("name", NAMES)
def test_names(arena, attack, served, resolving, ends, name):
    resolving(*NAMES[name])
    server = served(OK)
    code, _ = attack("fetch", arena.url("mixed.example"))
    assert code == "denied"
    (shown,) = arena.kernel.egress_preview(arena.url("mixed.example"), unit="acme/prober")
    assert (shown.outcome, list(shown.addresses)) == ("denied", NAMES[name][0])
    assert server.requests == []
    ends("refused: denied")


def test_rebinding_between_check_and_connection(arena, attack, served, resolving, ends):
    resolving(["127.0.0.1"], ["10.0.0.1"])
    server = served(OK)
    assert attack("fetch", arena.url("pinned.example")) == ("answered", '"ok"')
    assert len(server.requests) == 1
    assert attack("fetch", arena.url("pinned.example"))[0] == "denied"
    ends("pinned to the checked address; then refused: denied")


# ---- what requests and responses may hold ----


SMUGGLED = {"CRLF in a header's value": "header", "a Content-Length of one's own": "length"}


@pytest.mark.parametrize("name", SMUGGLED)
def test_smuggling(arena, attack, served, ends, name):
    server = served(OK)
    assert attack(SMUGGLED[name], arena.url("127.0.0.1"))[0] == "invalid"
    assert server.requests == []
    ends("refused: invalid")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET / HTTP/1.1", "G\u00c9T", ""])
def test_method(attack, ends, method):
    assert attack("method", method)[0] == "invalid"
    ends("refused: invalid")


def drip(first, piece):
    def answer(connection, _request):
        connection.sendall(first)
        for _ in range(2_000):
            connection.sendall(piece)
            threading.Event().wait(0.01)

    return answer


def flood(first, piece):
    def answer(connection, _request):
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return answer


HEAD = b"HTTP/1.1 200 OK\r\n"


BOMB = gzip.compress(bytes(64 << 20), 1)  # made here: a busy machine would time out on the making


RESPONSES = {
    "a decompression bomb": (HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + BOMB, "exhausted"),
    "nested compression": (HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx", "unavailable"),
    "a body without end": (flood(HEAD + b"Connection: close\r\n\r\n", b"x" * 65_536), "exhausted"),
    "chunks without end": (
        flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"fff\r\n" + b"x" * 4095 + b"\r\n"), "exhausted"),
    "headers without end": (flood(HEAD, b"X: " + b"y" * 9_000 + b"\r\n"), "unavailable"),
    "headers that drip": (drip(HEAD, b"X"), "timed-out"),
    "a body that drips": (drip(HEAD + b"Content-Length: 99999\r\n\r\n", b"x"), "timed-out"),
    "silence": (drip(b"", b""), "timed-out"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nokxxx", "unavailable"),
    "a response that is none": (b"220 smtp.example ready\r\n\r\n", "unavailable"),
    "a body cut short": (HEAD + b"Content-Length: 10\r\n\r\nok", "unavailable"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_response(arena, attack, served, ends, name):
    answer, expected = RESPONSES[name]
    served(answer)
    code, _ = attack("fetch", arena.url("127.0.0.1"))
    assert code == expected
    ends(f"refused: {code}")


def test_interim_responses_without_end(arena, attack, served, ends):
    served(flood(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2_000))
    assert attack("fetch", arena.url("127.0.0.1"))[0] in {"exhausted", "timed-out"}  # whichever bound is met first
    ends("refused: exhausted or timed-out")


def test_a_server_that_never_answers_a_caller_that_goes_away(arena, served, ends):
    asked = threading.Event()
    served(lambda *_: asked.set() or threading.Event().wait(5))

    async def leave():
        task = asyncio.create_task(arena.kernel.acall("acme/prober:fetch", arena.url("127.0.0.1")))
        await asyncio.to_thread(asked.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    (failed,) = arena.kernel.events(last=1, prefixes=("action.",))
    assert failed["event"]["data"]["code"] == "RM-5019"
    ends("RM-5019 CallCancelled")


def test_a_handshake_that_is_never_answered(arena, attack, served, ends):
    served(OK)
    assert attack("fetch", arena.url("127.0.0.1", "https"))[0] == "timed-out"
    ends("refused: timed-out")


def test_more_bytes_than_the_budget(arena, attack, ends):
    arena.other.answers = [HEAD + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000]
    assert attack("fetch", f"http://127.0.0.1:{arena.other.port}")[0] == "exhausted"
    ends("refused: exhausted")


def test_every_attempt_is_in_the_ledger(arena, attack, served):
    served(OK)
    before = arena.kernel.home().head
    attack("fetch", arena.url("127.0.0.1"))
    attack("post", arena.url("127.0.0.1"))
    attack("fetch", arena.url("10.0.0.1"))
    records = [one["event"] for one in arena.kernel.events(before)]
    attempts = [event for event in records if event["type"].startswith("egress.")]
    assert [event["type"] for event in attempts] == [
        "egress.allowed", "egress.intended", "egress.allowed", "egress.denied",
    ]  # fmt: skip
    calls = [event["id"] for event in records if event["type"].startswith("action.")]
    assert [event["causationid"] for event in attempts] == [calls[0], calls[1], calls[1], calls[2]]
    assert attempts[2]["data"]["intent"] == attempts[1]["id"]
