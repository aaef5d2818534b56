"""Attacks on leases: no clock, race, crash, neighbour or change of rules makes one allow what stands no more."""

from __future__ import annotations

import threading

import pytest

from remit.errors import DelegationTooWide, LeaseDenied, LeaseExhausted
from remit.kernel.model import Budget, Capability
from remit.policy.authority import LEASE_MS
from remit.policy.leases.standing import Lease
from remit.policy.postures import load
from tests.policy.adversarial.entries import Entries

attack = Entries()
EMIT = ("events:emit", "text")
HTTP = ("net:http", "https://api.example.com")
QUIET = (
    '@id("site.quiet") forbid (principal is Remit::Unit, action == Remit::Action::"events:emit", '
    'resource in Remit::Topic::"text.a");'
)
HOUR_MS = 3_600_000


class Held:
    """A unit with one grant, and an authority that counts how often it decides."""

    def __init__(self, at, action=EMIT[0], resource=EMIT[1], **options):
        self.world, self.action, self.resource = at.world, action, resource
        self.unit = at.world.unit()
        self.grant = at.world.grant(self.unit, action, resource, **options)
        self.authority = at.world.started(self.grant)
        self.decided = 0
        self.meanwhile = None
        self.authority.issuer.watch = self.watch

    def watch(self, *_):
        self.decided += 1
        if self.meanwhile is not None:
            change, self.meanwhile = self.meanwhile, None
            change()

    def use(self, resource="", unit=None, **options):
        return self.authority.use(unit or self.unit, self.action, resource or self.resource, **options)

    def refused(self, resource="", unit=None, **options):
        with pytest.raises(LeaseDenied) as refusal:
            self.use(resource, unit, **options)
        return refusal.value

    def again(self):
        """Whether the next use decides afresh."""
        before = self.decided
        self.use()
        return self.decided > before


def quiet():
    return load("standard", {"policy/site.cedar": QUIET})


@attack("ttl 0, negative or 2 h")
def _(at):
    held = Held(at)
    for ttl in (0, -1, -HOUR_MS):
        now = at.world.clock.monotonic_ns(), at.world.clock.now_ms()
        made = Lease(("", "", "", "", ""), (held.authority.holding(held.grant.id),), ([], []), *now, ttl)
        assert not made.live(*now)
    # How long a lease lasts is nobody's to ask for: two hours of use are many decisions.
    for _ in range(2 * HOUR_MS // LEASE_MS):
        assert held.again()
        assert not held.again()
        at.world.clock.advance(LEASE_MS)
    for window in (0, -1, -HOUR_MS):
        other = Held(at, resource=f"w{-window}", budget=Budget(window, calls=2))
        assert [other.use(), other.use()] == [other.grant] * 2
        with pytest.raises(LeaseExhausted):
            other.use()


@attack("clock jump back")
def _(at):
    held = Held(at, budget=Budget(60_000, calls=2))
    held.use(calls=2)
    at.world.clock.wall -= HOUR_MS
    with pytest.raises(LeaseExhausted):
        held.use()
    unbounded = Held(at, resource="note")
    unbounded.use()
    at.world.clock.wall -= HOUR_MS
    at.world.clock.mono += LEASE_MS * 1_000_000
    assert unbounded.again()
    at.world.clock.mono -= 10 * LEASE_MS * 1_000_000  # not even the monotonic one is trusted to be that
    assert unbounded.again()


@attack("suspend")
def _(at):
    held = Held(at)
    held.use()
    at.world.clock.wall += LEASE_MS  # the monotonic clock stood still
    assert held.again()


@attack("renew past max_ttl")
def _(at):
    held = Held(at, budget=Budget(1 << 40, calls=150))
    for _ in range(100):
        held.authority.renew(held.grant.id)
        assert held.again()
        at.world.clock.advance(LEASE_MS - 1)
    # Renewing decides again and stretches nothing: neither the lease, nor the budget, nor what was withdrawn.
    at.world.clock.advance(1)
    assert held.again()
    assert held.authority.grants()[0].calls_left == 150 - 101
    held.authority.publish(load("standard", {"policy/site.cedar": QUIET.replace("text.a", "text")}))
    held.authority.renew(held.grant.id)
    assert held.refused().details["policies"] == ["site.quiet"]


@attack("renew after revoke race")
def _(at):
    held = Held(at)
    held.use()
    held.authority.revoke(held.grant.id)
    held.authority.renew(held.grant.id)
    assert "was revoked" in held.refused().message
    # In the other order, and in the middle of the decision that the renewal led to.
    raced = Held(at, resource="note")
    raced.use()
    raced.authority.renew(raced.grant.id)
    raced.meanwhile = lambda: raced.authority.revoke(raced.grant.id)
    assert "was revoked" in raced.refused().message


@attack("use of a lease by another unit")
def _(at):
    held = Held(at)
    held.use()
    namesake = at.world.unit("zeta/tool", digest=held.unit.digest)
    for other in (at.world.unit("acme/other"), at.world.unit("zeta/tool"), namesake):
        held.refused(unit=other)


@attack("use of a lease by another digest")
def _(at):
    held = Held(at)
    held.use()
    upgrade = at.world.unit(version="1.0.1")
    held.refused(unit=upgrade)
    held.authority.activate([upgrade], [held.grant])
    held.refused(unit=upgrade)


@attack("replay of an approval for another envelope")
def _(at):
    held = Held(at, *HTTP, consent="", methods=("GET",), budget=Budget(60_000, calls=1))
    held.authority.answer(held.refused(method="GET").details["consent"], given=True, by="local")
    assert held.use(method="GET") == held.grant
    wider = (
        {"methods": ("GET", "POST"), "budget": Budget(60_000, calls=1)},
        {"methods": ("GET",), "budget": Budget(60_000, calls=2)},
        {"methods": ("GET",), "budget": Budget(1_000, calls=1)},
        {"methods": ("GET",), "budget": Budget(60_000, 1, host_us=1)},
        {"methods": ("GET",), "budget": None},
        {"methods": (), "budget": Budget(60_000, calls=1)},
    )
    for envelope in wider:
        # The attacker keeps the grant's id: what was consented to is the content, not the name.
        forged = at.world.grant(held.unit, *HTTP, consent="", grant_id=held.grant.id, **envelope)
        again = at.world.authority()
        again.activate([held.unit], [forged])
        with pytest.raises(LeaseDenied) as refusal:
            again.use(held.unit, *HTTP, method="GET")
        assert refusal.value.details["consent"]


@attack("approval, then a policy change")
def _(at):
    held = Held(at, *HTTP, consent="")
    held.authority.answer(held.refused().details["consent"], given=True, by="local")
    held.use()
    reach = (
        '@id("site.mail") forbid (principal, action == Remit::Action::"net:http", resource in Remit::Domain::"com") '
        'when { resource.scheme == "gopher" };'
    )
    held.authority.publish(load("standard", {"policy/site.cedar": reach}))
    assert held.refused().details["consent"]
    held.authority.publish(load("standard", {}))
    assert held.use() == held.grant  # under the rules that the yes was given under, it is a yes


@attack("parent revoked in the middle of a call")
def _(at):
    held = Held(at, budget=Budget(60_000, calls=10))
    child = at.world.unit("zeta/child")
    held.authority.activate([held.unit, child], [held.grant])
    part = Capability(EMIT[0], "text.a", budget=Budget(60_000, calls=5))
    held.authority.delegate(held.grant.id, child.id, part, by="local")
    held.use("text.a.b", child)
    held.meanwhile = lambda: held.authority.revoke(held.grant.id)
    assert "was revoked" in held.refused("text.a.c", child).message  # while it was decided
    assert "was revoked" in held.refused("text.a.b", child).message  # under the lease that it had


@attack("child budget beyond the parent's")
def _(at):
    bound = Budget(60_000, calls=10, bytes=100, host_us=1_000, fuel=1_000)
    held = Held(at, "action:call", "acme/other", budget=bound)
    child = at.world.unit("zeta/child")
    held.authority.activate([held.unit, child], [held.grant])
    larger = (
        Budget(60_000, 11, 100, 1_000, 1_000),
        Budget(60_000, 10, 101, 1_000, 1_000),
        Budget(60_000, 10, 100, 1_001, 1_000),
        Budget(60_000, 10, 100, 1_000, 1_001),
        Budget(60_000, None, 100, 1_000, 1_000),
        Budget(60_000, 10, 100, 1_000, None),
        Budget(30_000, 10, 100, 1_000, 1_000),
        Budget(60_000, -1, 100, 1_000, 1_000),
        None,
    )
    for budget in larger:
        part = Capability("action:call", "acme/other:run", budget=budget)
        with pytest.raises(DelegationTooWide):
            held.authority.delegate(held.grant.id, child.id, part, by="local")
    part = Capability("action:call", "acme/other:run", budget=bound)
    held.authority.delegate(held.grant.id, child.id, part, by="local")
    held.use("acme/other:run", calls=6)
    with pytest.raises(LeaseExhausted):
        held.use("acme/other:run", child, calls=5)
    assert held.use("acme/other:run", child, calls=4)


@attack("two threads on the last call")
def _(at):
    held = Held(at, budget=Budget(1 << 40, calls=100))
    barrier, won = threading.Barrier(8), []

    def work():
        barrier.wait()
        for _ in range(50):
            try:
                won.append(held.use())
            except LeaseExhausted:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 100
    assert held.authority.grants()[0].calls_left == 0


@attack("budget after a crash")
def _(at):
    held = Held(at, budget=Budget(1 << 40, calls=80))
    spent = 0
    for _ in range(20):  # each crash comes before anything was settled
        try:
            for _ in range(3):
                held.use()
                spent += 1
        except LeaseExhausted:
            break
        held.authority = at.world.authority()
        held.authority.activate([held.unit], [held.grant])
    assert 20 <= spent <= 80
    with pytest.raises(LeaseExhausted):
        held.use(calls=80 - spent + 1)


@attack("revoke during a stream")
def _(at):
    held = Held(at, *HTTP, budget=Budget(1 << 40, bytes=1_000))
    for _ in range(3):
        held.use(calls=0, nbytes=10)
    held.authority.revoke(held.grant.id)
    held.refused(calls=0, nbytes=10)
    assert held.authority.grants()[0].bytes_left == 970


@attack("subtree lease with a later, narrower forbid")
def _(at):
    held = Held(at)
    for topic in ("text", "text.a", "text.a.deep", "text.b"):
        held.use(topic)
    held.authority.publish(quiet())
    for topic in ("text.a", "text.a.deep", "text.a.new"):
        assert held.refused(topic).details["policies"] == ["site.quiet"]
    assert held.use("text") == held.use("text.b") == held.grant


@attack("policy swap between check and use")
def _(at):
    held = Held(at)
    held.meanwhile = lambda: held.authority.publish(quiet())
    assert held.refused("text.a").details["policies"] == ["site.quiet"]
    assert held.decided == 2
    # And between the check and the charge: the lease that was found is not the one that stands.
    held.authority.publish(load("standard", {}))
    take = held.authority._take

    def slow(*words):
        held.authority._take = take
        lease = take(*words)
        held.authority.publish(quiet())
        return lease

    held.authority._take = slow
    assert held.refused("text.a").details["policies"] == ["site.quiet"]


@attack("quarantine of a publisher")
def _(at):
    held = Held(at)
    held.use()
    held.authority.quarantine("acme", by="local")
    assert held.refused().details["policies"] == ["guard.quarantine"]
    restarted = at.world.authority()
    restarted.activate([held.unit], [held.grant])
    with pytest.raises(LeaseDenied):
        restarted.use(held.unit, *EMIT)
    held.authority.release("acme", by="local")
    assert held.use() == held.grant


@attack("epoch wrap")
def _(at):
    held = Held(at)
    for edge in (1 << 31, 1 << 32, 1 << 63, 1 << 64):
        held.authority.epoch.number = edge - 1
        assert held.use("text.a") == held.grant
        assert held.authority.authorize("local", "policy:publish", at.home).allowed
        held.authority.publish(quiet())
        assert held.authority.epoch.number == edge
        held.refused("text.a")
        held.authority.publish(load("standard", {}))
        assert held.authority.epoch.number == edge + 1


@attack("100k leases")
def _(at):
    held = Held(at)
    holding, now = held.authority.holding(held.grant.id), (at.world.clock.monotonic_ns(), at.world.clock.now_ms())
    scope = ([], [])
    for count in range(100_001):
        key = (held.unit.digest, held.unit.id, EMIT[0], f"text.n{count}", "")
        held.authority._keep(Lease(key, (holding,), scope, *now, LEASE_MS))
        if count == 99_999:
            assert len(held.authority._leases) == 100_000
    assert len(held.authority._leases) == 1
    for count in range(100_000):
        key = (held.unit.digest, held.unit.id, EMIT[0], f"text.n{count}", "")
        held.authority._leases[key] = Lease(key, (holding,), scope, *now, LEASE_MS)
    assert held.use("text.n7") == held.grant
    held.authority.revoke(held.grant.id)
    assert held.authority._leases == {}
    held.refused("text.n7")


@pytest.mark.parametrize("entry", attack)
def test_hostile_uses(at, entry):
    attack[entry](at)
