"""The short way of calls: the same answers as by the framework's, and no staleness in who may call."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from remit.host import ServiceOptions, new_token
from remit.host.service import Tokens
from remit.plugins.http.admission import Admission
from remit.plugins.http.requests import headers_of
from remit.plugins.http.streams import Watcher
from tests.plugins.http.conftest import OWNER

BEARER = {"authorization": f"Bearer {OWNER}"}
COOKIE = {"cookie": f"remit_token={OWNER}", "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize(
    ("address", "body", "more"),
    [
        ("acme/echo/echo", b'{"text":"x"}', {}),
        ("acme/echo/echo", b"", {}),
        ("acme/echo/echo", b"{", {}),
        ("acme/echo/echo", b"\xff", {}),
        ("acme/echo/echo?durability=queued", b"1", {}),
        ("acme/echo/echo?durability=none", b"1", {}),
        ("acme/echo/none", b"1", {}),
        ("acme/echo/echo", b"1", {"host": "evil.example"}),
        ("acme/echo/echo", b"1", {"remit-deadline-ms": "x"}),
        ("acme/echo/echo", b"1", {"idempotency-key": "a b"}),
    ],
)
def test_both_ways_give_the_same_answer(served, address, body, more):
    short, long = (
        httpx.post(f"{served}/actions/{address}", content=body, headers=known | more) for known in (BEARER, COOKIE)
    )
    assert (short.status_code, short.content) == (long.status_code, long.content)
    said = [{name: value for name, value in answer.headers.items() if name != "remit-seq"} for answer in (short, long)]
    assert said[0] == said[1]


def test_an_address_that_needs_decoding_leads_to_the_same_action(served):
    assert httpx.post(f"{served}/actions/acme/ech%6f/echo", json=1, headers=BEARER).json() == 1


def test_another_method_is_told_what_there_is(served):
    assert httpx.get(f"{served}/actions/acme/echo/echo", headers=BEARER).status_code == 405


def test_a_token_is_looked_up_anew_in_each_turn_of_the_loop(active_home):
    token, known = new_token(active_home)
    config = active_home / "remit.toml"
    before = config.read_text()
    config.write_text(f'{before}\n[operator.bob]\nroles = ["caller"]\ntokens = ["{known}"]\n')
    admission = Admission(ServiceOptions(root=active_home))
    scope = {"method": "POST", "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]}

    def ask():
        return admission.admit(scope, headers_of(scope)).principal

    async def main():
        assert ask() == "bob"
        config.write_text(before)
        assert ask() == "bob"  # the same turn: it had arrived before
        await asyncio.sleep(0)
        with pytest.raises(Exception, match="RM-8004"):
            ask()

    asyncio.run(main())


def test_tokens_are_nobodys_while_the_file_cannot_be_read(active_home):
    token, known = new_token(active_home)
    config = active_home / "remit.toml"
    config.write_text(f'{config.read_text()}\n[operator.bob]\nroles = ["caller"]\ntokens = ["{known}"]\n')
    tokens = Tokens(active_home)
    tokens.refresh()
    assert tokens.known(token) == "bob"
    config.write_text("not toml")
    tokens.refresh()
    assert tokens.known(token) is None


def test_where_nobody_follows_the_journal_is_not_read():
    asked = []

    class Facade:
        def events(self, after, **_):
            asked.append(after)
            return [{"seq": after + 1}]

    async def run(work):
        await asyncio.sleep(0)
        return work()

    async def main():
        watcher = Watcher(Facade(), run)
        task = asyncio.create_task(watcher.watch())
        for _ in range(10):
            await asyncio.sleep(0)
        assert asked == []
        await asyncio.gather(watcher.beyond(7), watcher.beyond(9))
        task.cancel()
        assert sorted(set(asked)) == [7, 9]

    asyncio.run(main())
