"""Simulators: a clock that is told the time, a journal that is a list, and a home made of them."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import msgspec
import pytest

from remit.journal import inline
from remit.journal.event import Event, Record, timestamp
from remit.kernel.model import Budget, Capability, Grant, UnitRef
from remit.policy.authority import CedarAuthority
from remit.policy.leases.models import Leases
from remit.policy.postures import load
from remit.schemas.config import Operator
from tests.policy.bureau import Bureau

START_MS = 1_800_000_000_000
KERNEL = "//home/kernel"


class SimClock:
    """Both clocks, moved by hand."""

    def __init__(self):
        self.wall = START_MS
        self.mono = 1_000_000_000

    def now_ms(self):
        return self.wall

    def time_ns(self):
        return self.now_ms() * 1_000_000

    def monotonic_ns(self):
        return self.mono

    def advance(self, ms):
        self.wall += ms
        self.mono += ms * 1_000_000


class SimJournal:
    """Records in a list, folded afresh at each look: what a restart sees."""

    def __init__(self, clock):
        self.clock = clock
        self.records = []

    def say(self, kind, data, source=KERNEL):
        seq = len(self.records) + 1
        event = Event(
            specversion="1.0", id=str(seq), source=source, type=kind, time=timestamp(self.clock.wall), data=data
        )
        self.records.append(Record(seq, 1, "main", b"", b"", event))

    def append(self, drafts):
        for draft in drafts:
            self.say(draft.type, msgspec.to_builtins(draft.data))

    def give(self, grant):
        self.say("grant.given", msgspec.to_builtins(grant))

    def apply(self, *grants):
        self.say("unit.applied", {"grants": sorted(grant.id for grant in grants)})

    def complete(self, charges, kind="action.completed"):
        data = {"charges": {name: list(amounts) for name, amounts in charges.items()}, "at_ms": self.clock.wall}
        self.say(kind, data)

    def state(self, name):
        assert name == "leases"
        fold = Leases()
        state = fold.apply(fold.init(), self.records, inline)
        return fold.restore(fold.snapshot(state))


class World:
    """A home's worth of parts, and authorities on them."""

    def __init__(self):
        self.clock = SimClock()
        self.journal = SimJournal(self.clock)
        self._ids = itertools.count(1)

    def unit(self, unit_id="acme/tool", *, admission="signed", digest="", version="1.0.0"):
        return UnitRef(unit_id, version, digest or f"sha256:{unit_id}@{version}", "tool", admission)

    def grant(self, unit, action, resource, *, consent="local", methods=(), budget=None, grant_id="", reach=""):
        capability = Capability(action, resource, methods=tuple(methods), budget=budget)
        return Grant(grant_id or f"grant-{next(self._ids)}", unit, capability, consent=consent, reach=reach)

    def authority(self, posture="standard", files=None, operators=None, home="/srv/home"):
        roles = {"local": ("owner",)} if operators is None else operators
        known = {name: one if isinstance(one, Operator) else Operator(one) for name, one in roles.items()}
        policies = load(posture, files or {})
        return CedarAuthority(
            policies, clock=self.clock, folds=self.journal, operators=known, write=self.journal.append, home=home
        )

    def started(self, *grants, **options):
        """An authority that has just activated these grants, each given in the journal."""
        for grant in grants:
            self.journal.give(grant)
        authority = self.authority(**options)
        authority.activate(list({grant.unit.id: grant.unit for grant in grants}.values()), grants)
        return authority


@pytest.fixture
def world():
    return World()


@pytest.fixture
def new_world():
    """The maker of worlds, for tests that need one per example."""
    return World


@pytest.fixture
def home(tmp_path):
    """What the hooks read of a home."""
    policy = SimpleNamespace(posture="standard", files=("policy/*.cedar",))
    (tmp_path / "policy").mkdir()
    return SimpleNamespace(
        root=tmp_path, id="home", config=SimpleNamespace(policy=policy, operators={"local": Operator(("owner",))})
    )


@pytest.fixture
def budget():
    return Budget(window_ms=60_000, calls=3, bytes=100)


@pytest.fixture
def bureau(world, tmp_path):
    (tmp_path / ".remit").mkdir(mode=0o700)
    made = Bureau(world, tmp_path)
    yield made
    made.journal.close()
