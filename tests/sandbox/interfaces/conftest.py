"""A call of a unit, simulated: an authority that is a set, effects that are a dict, a ledger that is a list."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from remit.errors import LeaseDenied, LeaseExhausted, QuotaExceeded, StateConflict
from remit.kernel.model import Caller, Capability, Decision, Grant, Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.kernel.scope import Scope
from remit.sandbox.interfaces import all_interfaces

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
COUNTER = itertools.count()
HOME = SimpleNamespace(config=SimpleNamespace(secrets={}), root=None)


@dataclass
class SimulatedAuthority:
    granted: set[tuple[str, str]] = field(default_factory=set)
    reachable: set[str] = field(default_factory=set)
    exhausted: bool = False
    bytes_left: int | None = None
    used: list[tuple[str, str, str, int]] = field(default_factory=list)

    def use(self, unit, action, resource, *, method="", calls=1, nbytes=0):
        del calls
        self.used.append((action, resource, method, nbytes))
        if self.exhausted or (self.bytes_left is not None and nbytes > self.bytes_left):
            raise LeaseExhausted("used up")
        if self.bytes_left is not None:
            self.bytes_left -= nbytes
        if (action, resource) not in self.granted:
            raise LeaseDenied("no grant", policies=["p1"])
        return Grant("g1", unit, Capability(action, resource), ("p2",))

    def reach(self, _grant, _origin, special):
        return Decision("allow", ("p3",)) if special in self.reachable else Decision("deny", ("p4",), "no")


@dataclass
class SimulatedEffects:
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    emitted: list[tuple[str, str, str]] = field(default_factory=list)
    quota: int = 1 << 30

    def get(self, key):
        return self.rows.get(key)

    def put(self, key, value, expected):
        _, version = self.rows.get(key, ("", 0))
        if expected not in (None, version):
            raise StateConflict("another version")
        if len(value) > self.quota:
            raise QuotaExceeded("full")
        self.rows[key] = (value, version + 1)
        return version + 1

    def delete(self, key):
        return self.rows.pop(key, None) is not None

    def list(self, prefix, after, limit):
        return sorted(key for key in self.rows if key.startswith(prefix) and key > after)[:limit]

    def emit(self, topic, content_type, data):
        if len(data) > self.quota:
            raise QuotaExceeded("full")
        self.emitted.append((topic, content_type, data))
        return "id-1"


def make_scope(call_action=None, clock=None, deadline_ms=5_000, **limits) -> Scope:
    clock = clock or SystemClock()
    made = Scope(
        program=Program(UNIT, "sha256:" + "1" * 64, "tool", Limits(**limits), frozenset()),
        caller=Caller(),
        parameters='{"mask":"x"}',
        authority=SimulatedAuthority(),
        effects=SimulatedEffects(),
        clock=clock,
        ids=SimpleNamespace(
            random=lambda count: bytes(range(256))[:count] if count < 256 else bytes(count),
            new=lambda: f"id-{next(COUNTER)}",
        ),
        deadline_ns=clock.monotonic_ns() + deadline_ms * 1_000_000,
        call_action=call_action,
    )
    ledger = Ledger()
    made.record = ledger
    return made


@dataclass
class Ledger:
    """What was journalled in the middle of the call, and whether the call waited for it."""

    entries: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)

    def __call__(self, draft, wait):
        self.entries.append((draft.type, draft.data | ({"id": draft.id} if draft.id else {}), wait))

    def of(self, kind):
        return [data for name, data, _ in self.entries if name == kind]


@pytest.fixture
def scope() -> Scope:
    return make_scope()


@pytest.fixture
def new_scope():
    return make_scope


@pytest.fixture
def ask():
    """Perform a host call by name, in a home and with a resolver of the test's own where it has them."""

    def perform(scope, name, *arguments, home=HOME, resolver=None):
        interface, _, function = name.partition(".")
        return all_interfaces(home, resolver)[interface].functions[function](scope, *arguments)

    return perform
