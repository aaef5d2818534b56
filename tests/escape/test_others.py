"""Events, state, other units: a unit speaks for nobody else, floods nothing and calls only what it may."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("topic", ["unit.applied", "lease.given", "egress.allowed", "file.written", "journal.erased"])
def test_forged_kernel_event(attack, ends, topic):
    assert attack("emit", topic)[0] == "denied"
    ends("refused: denied")


@pytest.mark.parametrize("topic", ["other.topic", "probe/../x", "PROBE.X", ""])
def test_event_topic(attack, ends, topic):
    code, _ = attack("emit", topic)
    assert code in {"denied", "invalid"}
    ends(f"refused: {code}")


def test_event_flood(arena, attack, ends):
    before = arena.kernel.home().head
    assert attack("emit-flood", "probe.x")[0] == "exhausted"
    assert arena.kernel.events(before, prefixes=("probe.",)) == []
    ends("refused: exhausted, nothing emitted")


def test_event_of_more_than_a_mebibyte(attack, ends):
    assert attack("emit-huge", "probe.x")[0] == "invalid"
    ends("refused: invalid")


def test_state_flood(attack, ends):
    assert attack("state-flood")[0] == "exhausted"
    ends("refused: exhausted")


def test_log_flood(attack, ends):
    code, _ = attack("log-flood")
    assert code == "RM-5016 HostCallsExceeded"
    ends(code)


def test_call_to_itself(attack, ends):
    code, message = attack("call", "acme/prober:call")
    assert (code, "in the chain" in message) == ("denied", True)
    ends("refused: denied")


def test_call_around_a_corner(attack, ends):
    code, message = attack("call", "acme/bouncer:bounce")
    assert code != "answered"
    assert "in the chain" in message
    ends("refused: denied, through two units")


def test_call_without_hops(attack, ends):
    assert attack("call", "acme/bouncer:bounce", hops=0)[0] == "denied"
    ends("refused: denied")


@pytest.mark.parametrize("action", ["acme/other:go", "acme/bouncer:nothing", "../x", "acme/bouncer:bounce@^9"])
def test_call_of(attack, ends, action):
    code, _ = attack("call", action)
    assert code in {"denied", "not-found", "invalid"}
    ends(f"refused: {code}")


def test_an_enum_that_has_no_such_case(arena, attack, ends):
    code, _ = attack("bad-enum", f"{arena.granted}/file")
    assert code == "RM-5010 GuestTrapped"
    ends(code)


def test_reading_on_after_the_budget_is_used_up(arena, attack, ends):
    (arena.metered / "big").write_text("x" * 500_000)
    assert attack("read-flood", f"{arena.metered}/big")[0] == "exhausted"
    ends("refused: exhausted")


def test_using_a_grant_after_it_was_revoked(arena, attack, ends):
    grant = next(view.id for view in arena.kernel.leases() if view.resource == "spare")
    assert attack("secret", "spare")[0] == "answered"
    arena.kernel.revoke(grant)
    assert attack("secret", "spare")[0] == "denied"
    ends("refused: denied")
