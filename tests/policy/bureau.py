"""A home on disk whose policies are administered over a real journal: for the office, and for those who attack it."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec

from remit.journal import Draft, Folds, Journal
from remit.journal.ports import SystemIds
from remit.policy.authority import CedarAuthority
from remit.policy.leases.models import Leases
from remit.policy.office import Office
from remit.policy.postures import load, read_files
from remit.policy.reviewing.history import SetHistory
from remit.schemas.config import Operator

NO_EMIT = '@id("site.quiet") forbid (principal is Remit::Unit, action == Remit::Action::"events:emit", resource);'
HTTP = '@id("site.http") permit (principal is Remit::Unit, action == Remit::Action::"net:http", resource);'
QUIET, OPEN = {"policy/site.cedar": NO_EMIT}, {"policy/site.cedar": HTTP}
CONFIG = '# mine\n[policy]\nposture = "standard" # for now\n'


class Bureau:
    """A home on disk with its journal, authority and office; started again at will."""

    def __init__(self, world, root):
        self.world, self.root = world, root
        (root / "policy").mkdir()
        (root / "remit.toml").write_text(CONFIG)
        self.unit = world.unit()
        self.grant = world.grant(self.unit, "events:emit", "text", consent="")
        self.journal = None
        self.start()
        self.journal.append([
            Draft(type="unit.installed", data=msgspec.to_builtins(self.unit)),
            Draft(type="grant.given", data=msgspec.to_builtins(self.grant)),
        ])  # fmt: skip

    def start(self):
        if self.journal is not None:
            self.journal.close()
        self.journal = Journal(self.root / ".remit", self.world.clock, SystemIds(self.world.clock))
        folds = Folds(self.journal, [Leases(), SetHistory()])
        home = SimpleNamespace(
            root=self.root, clock=self.world.clock, config_path=self.root / "remit.toml", reload=self.read
        )
        self.home = home
        self.read()
        files, _ = read_files(self.root, home.config.policy.files)
        self.authority = CedarAuthority(
            load(home.config.policy.posture, files),
            clock=self.world.clock,
            folds=folds,
            operators={"local": Operator(("owner",))},
            write=self.journal.append,
            home=str(self.root),
        )
        self.office = Office(self.authority, home, self.journal, folds)
        self.authority.activate([self.unit], [self.grant])

    def read(self):
        posture = "strict" if '"strict"' in (self.root / "remit.toml").read_text() else "standard"
        self.home.config = SimpleNamespace(policy=SimpleNamespace(posture=posture, files=("policy/*.cedar",)))

    def outcome(self):
        return self.authority.review(self.unit, self.grant.capability).outcome

    def differences(self):
        """What the shadow found; those are written behind the decision, and a later record is behind them."""
        self.journal.append([Draft(type="journal.seen")])
        return self.office.history.shadow.differences

    def candidate(self, files=None, posture=""):
        return self.office.candidate(files, posture)
