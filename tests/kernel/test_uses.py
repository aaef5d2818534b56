"""What a guest uses through the host: denials and charges are journalled in few records, and host calls are bounded."""

from __future__ import annotations

import pytest

from remit.errors import (
    GuestTrapped,
    HostCallsExceeded,
)
from remit.kernel.model import Limits
from tests.kernel.simulators import trap


def test_ten_thousand_denials_of_one_thing_are_one_event(world):
    def body(guest):
        for _ in range(10_000):
            assert guest.host("http", "fetch", "https://evil.example").code == "denied"

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    (event,) = world.events("lease.")
    assert (event.type, event.data["tries"], event.data["policies"]) == ("lease.denied", 10_000, ["sim.no"])
    assert (event.data["unit"], event.data["action"], event.data["resource"]) == (
        "acme/try",
        "net:http",
        "https://evil.example",
    )
    assert event.causationid == world.events("action.")[0].id


def test_denials_of_ten_thousand_things_are_few_events_and_all_counted(world):
    def body(guest):
        for n in range(9_999):
            guest.host("http", "fetch", f"https://{n}.example/" + "x" * 2_000)

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    events = world.events("lease.")
    assert len(events) <= 40
    assert sum(event.data["tries"] for event in events) == 9_999
    assert max(len(event.data["resource"]) for event in events) <= 512


def test_an_exhausted_budget_is_another_refusal_and_another_event(world):
    world.authority.exhausted.add(("acme/try", "net:http", "https://api.example"))
    world.offer("acme/try:try", lambda guest: guest.host("http", "fetch", "https://api.example").code)
    assert world.call("acme/try:try").output == "exhausted"
    assert [event.type for event in world.events("lease.")] == ["lease.exhausted"]


def test_denials_of_a_call_that_failed_are_journalled_too(world):
    def body(guest):
        guest.host("http", "fetch", "https://evil.example")
        return trap(guest)

    world.offer("acme/try:try", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/try:try")
    assert [event.type for event in world.events()] == ["home.created", "action.failed", "lease.denied"]


def test_charges_are_summed_by_grant(world):
    world.authority.granted.add(("acme/try", "net:http", "https://a.example"))

    def body(guest):
        return [guest.ask("http", "fetch", "https://a.example") for _ in range(3)]

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    assert world.events("action.")[0].data["charges"] == {"grant:net:http:https://a.example": [3, 51, 0, 0]}


def test_host_calls_beyond_the_bound_end_the_call(world):
    def body(guest):
        while True:
            guest.get("key")

    world.offer("acme/busy:busy", body, limits=Limits(host_calls=100))
    with pytest.raises(HostCallsExceeded, match="100"):
        world.call("acme/busy:busy")
    assert world.events("action.")[0].data["code"] == "RM-5016"
