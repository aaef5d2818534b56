"""The check before a connection, and the preview that passes the same one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from remit.errors import LeaseDenied, LeaseExhausted
from remit.kernel.model import Capability, Decision, Grant, GrantStatus, UnitRef
from remit.sandbox.egress.gate import Passage, Stopped, check_addresses, preview
from remit.sandbox.egress.names import NameLookupError, NameTimeoutError
from remit.sandbox.egress.target import parse_target

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "signed")
ORIGIN = "https://api.example"
GRANT = Grant("g1", UNIT, Capability("net:http", ORIGIN), ("p1",))


def authority(*, error=None, reachable=(), calls_left=None):
    charged = []

    def use(_unit, action, resource, *, method, calls):
        charged.append((action, resource, method, calls))
        if error is not None:
            raise error
        return GRANT

    def reach(_grant, _origin, special):
        return Decision("allow", ("p2",)) if special in reachable else Decision("deny", ("p3",), "not here")

    statuses = [GrantStatus(GRANT, "standing", None, calls_left, None)]
    return SimpleNamespace(use=use, reach=reach, grants=lambda: statuses, charged=charged)


def leads_to(*addresses):
    return lambda *_: addresses


def fails(error):
    def resolver(*_):
        raise error

    return resolver


@pytest.mark.parametrize(("resolver", "options", "found"), [
    (leads_to("8.8.8.8"), {}, Passage(("8.8.8.8",))),
    (leads_to("127.0.0.1"), {"reachable": {"loopback"}}, Passage(("127.0.0.1",), ("p2",))),
    (leads_to("8.8.8.8", "10.0.0.1"), {"reachable": {"loopback"}}, "denied"),
    (fails(NameLookupError("none")), {}, "unavailable"),
    (fails(NameTimeoutError("slow")), {}, "timed-out"),
])  # fmt: skip
def test_the_way_is_free_or_stopped_with_a_reason(resolver, options, found):
    way = check_addresses(authority(**options), GRANT, parse_target(ORIGIN), resolver, 1.0)
    assert way == found or (isinstance(way, Stopped) and way.refusal == found and way.reason)


def test_without_time_nobody_is_asked():
    asked = fails(AssertionError("asked"))
    assert check_addresses(authority(), GRANT, parse_target(ORIGIN), asked, 0.0).refusal == "timed-out"


def test_a_preview_charges_nothing_and_shows_where_the_name_leads():
    judge = authority(reachable={"loopback"})
    shown = preview(judge, UNIT, f"{ORIGIN}/x", "GET", leads_to("8.8.8.8", "127.0.0.1"))
    assert (shown.outcome, shown.grant, shown.policies) == ("allowed", "g1", ("p1", "p2"))
    assert shown.addresses == {"8.8.8.8": "", "127.0.0.1": "loopback"}
    assert judge.charged == [("net:http", ORIGIN, "GET", 0)]


@pytest.mark.parametrize(("options", "resolver", "outcome", "policies"), [
    ({"error": LeaseDenied("no", policies=["p9"])}, leads_to("8.8.8.8"), "denied", ("p9",)),
    ({"error": LeaseExhausted("no")}, leads_to("8.8.8.8"), "exhausted", ()),
    ({"calls_left": 0}, leads_to("8.8.8.8"), "exhausted", ("p1",)),
    ({"calls_left": 1}, leads_to("8.8.8.8"), "allowed", ("p1",)),
    ({}, leads_to("10.0.0.1"), "denied", ("p3",)),
    ({}, fails(NameLookupError("none")), "unavailable", ()),
])  # fmt: skip
def test_a_preview_says_what_the_unit_would_see(options, resolver, outcome, policies):
    shown = preview(authority(**options), UNIT, ORIGIN, "GET", resolver)
    assert (shown.outcome, shown.policies) == (outcome, policies)
