"""Looking names up: bounded in time, number and threads."""

from __future__ import annotations

import socket
import threading

import pytest

from remit.sandbox.egress.names import NameLookupError, Names


def entries(*addresses):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]


def test_an_address_is_its_own_answer(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("nobody is asked"))
    assert Names()("127.0.0.1", 80, 1.0) == ["127.0.0.1"]
    assert Names()("2001:DB8::1", 80, 1.0) == ["2001:db8::1"]


def test_answers_come_once_each_and_in_order(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries("192.0.2.2", "192.0.2.1", "192.0.2.2"))
    assert Names()("a.example", 80, 5.0) == ["192.0.2.2", "192.0.2.1"]


@pytest.mark.parametrize("answer", [
    entries(), entries(*(f"192.0.2.{n}" for n in range(33))), socket.gaierror(-2, "unknown"),
    UnicodeError("label too long"),
])  # fmt: skip
def test_no_answer_and_too_many_are_failures(monkeypatch, answer):
    def answering(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(socket, "getaddrinfo", answering)
    with pytest.raises(NameLookupError):
        Names()("a.example", 80, 5.0)


def test_a_slow_resolver_is_left_behind_and_not_piled_up(monkeypatch):
    release = threading.Event()

    def slow(*_, **__):
        release.wait(30)
        return entries("192.0.2.1")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    names = Names()
    for _ in range(16):
        with pytest.raises(NameLookupError, match="too long"):
            names("slow.example", 80, 0.001)
    with pytest.raises(NameLookupError, match="too many"):
        names("slow.example", 80, 5.0)
    release.set()
