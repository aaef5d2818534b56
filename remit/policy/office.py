"""Where policies are administered: compared, tried in shadow, published and rolled back, with a record of each.

A set in force is the posture of ``remit.toml`` and the files of ``policy/``. Publishing writes those, then the record,
then turns the authority: a crash in between leaves a home that starts under what its files say, and records that. Who
may do this is decided by the caller; whether a set *may be loaded* is decided here, canaries included.
"""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
import tomlkit

from remit.errors import PolicyInvalid, PolicyUnknown, ResourceInvalid
from remit.journal.event import Draft
from remit.journal.files import write_atomically
from remit.kernel.model import Capability
from remit.policy.deciding.resources import parse_resource
from remit.policy.postures import PolicySet, load, read_files
from remit.policy.reviewing import compare
from remit.policy.reviewing.explain import Explanation, explain
from remit.policy.reviewing.history import History, Published
from remit.policy.shadow import ShadowWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from remit.journal.fold import Folds
    from remit.journal.log import Journal
    from remit.kernel.ports import Home
    from remit.policy.authority import CedarAuthority

__all__ = ["Office"]

_MOST_FLIPS = 1_000


class Office:
    """The policies of one open home. Safe to share between threads: changes happen one at a time."""

    def __init__(self, authority: CedarAuthority, home: Home, journal: Journal, folds: Folds) -> None:
        """Announce the set in force, if it is not the one that the journal knows, and resume the shadow."""
        self.authority = authority
        self._home = home
        self._journal = journal
        self._folds = folds
        self._changing = threading.RLock()
        self._announce()
        self._resume()

    @property
    def history(self) -> History:
        """Which set is in force, which were before, and which runs in shadow."""
        state: History = self._folds.state("policy")
        return state

    @property
    def live(self) -> PolicySet:
        """The set in force."""
        return self.authority.epoch.policies

    def candidate(self, files: Mapping[str, str] | None, posture: str) -> PolicySet:
        """A set that could come into force.

        :param files: texts by path relative to the home; ``None`` for those that lie there now
        :param posture: "" for the one in force
        :raises PolicyInvalid: if it has a fault, lets a canary through, or a file lies where the home does not look
        """
        if files is None:
            files, findings = read_files(self._home.root, self._home.config.policy.files)
            if findings:
                raise PolicyInvalid("; ".join(map(str, findings)))
        patterns = self._home.config.policy.files
        for name in files:
            if not _lies_in_place(name, patterns):
                raise PolicyInvalid(f"{name[:80]!a} lies where remit.toml does not look: {', '.join(patterns)}")
        return load(posture or self.live.posture, files, like=self.live)

    # ---- looking ----

    def diff(self, candidate: PolicySet) -> dict[str, Any]:
        """What differs from the set in force, and whether that may allow more."""
        found = compare.changes(self.live.engine, candidate.engine)
        return {
            "before": self.live.digest,
            "after": candidate.digest,
            "posture": [self.live.posture, candidate.posture],
            "widens": any(change.widens for change in found),
            "changes": msgspec.to_builtins(found),
        }

    def what_if(self, candidate: PolicySet) -> dict[str, Any]:
        """Every decision in the journal, decided again under the candidate."""
        epoch = self.authority.epoch
        replay = compare.Replay(self.authority.operators.known, epoch.standing.units, epoch.quarantined, epoch.home)
        replay.read(self._journal.read(prefixes=compare.TOPICS), self._journal.data)
        flips = compare.flips(replay, self.live.engine, candidate.engine)
        return {
            "questions": len(replay.questions),
            "flips": msgspec.to_builtins(flips[:_MOST_FLIPS]),
            "more": max(0, len(flips) - _MOST_FLIPS),
        }

    def why(self, unit_id: str, action: str, resource: str, method: str = "") -> dict[str, Any]:
        """Why a unit may or may not use a capability now: its grants, and what policy says.

        :raises ResourceInvalid: if there is no such capability, or the resource is none of its
        :raises PolicyUnknown: if no such unit is active
        """
        epoch = self.authority.epoch
        unit = epoch.standing.units.get(unit_id)
        if unit is None:
            raise PolicyUnknown(f"{unit_id[:200]!a} is not active", remedy="run 'remit unit list'")
        concrete = parse_resource(action, resource)
        covering = epoch.standing.covering(unit, action, concrete)
        best = covering[0].grant if covering else None
        given = best.capability if best is not None else Capability(action, concrete.text)
        approved = bool(covering) and self.authority.consents.stand(covering[0].grant, epoch.outlook(covering[0]).reach)
        asked = Capability(action, concrete.text, given.methods, given.budget)
        request = epoch.question(unit, asked, declared=bool(covering), approved=approved)
        said: Explanation = explain(epoch.policies.engine, request)
        built: dict[str, Any] = msgspec.to_builtins(said)
        built |= {"unit": unit_id, "action": action, "resource": concrete.text, "grant": best.id if best else ""}
        refusal = ""
        if best is None and said.outcome != "deny":
            refusal = "it holds no grant for this"
        elif best is not None and all(one.grant.id in epoch.standing.revoked for one in covering):
            refusal = f"its grant {best.id} was revoked"
        elif best is not None and best.capability.methods and method and method not in best.capability.methods:
            refusal = f"the grant is for {', '.join(best.capability.methods)}"
        if refusal:
            built |= {"outcome": "deny", "reason": refusal, "change": "plan and apply the unit again, naming it"}
        return built

    def grant(self, grant_id: str) -> dict[str, Any]:
        """How a grant is decided: its mode, the policies in reach, its consent.

        :raises GrantUnknown: if no grant has that id
        """
        holding = self.authority.holding(grant_id)
        try:
            outlook = self.authority.epoch.outlook(holding)
        except ResourceInvalid as error:
            return {"mode": "guarded", "policies": [], "consented": False, "fault": error.message}
        consented = self.authority.consents.stand(holding.grant, outlook.reach)
        return {
            "mode": outlook.mode,
            "policies": list(outlook.policies),
            "reach": outlook.reach,
            "consented": consented,
        }

    # ---- shadow ----

    def shadow(self, candidate: PolicySet, by: str) -> None:
        """Let a candidate decide beside the live set from now on; one at a time."""
        with self._changing:
            data = _texts(candidate) | {"by": by, "at_ms": self._home.clock.now_ms()}
            self._journal.append([Draft(type="policy.shadowed", subject=candidate.digest, data=data)])
            self.authority.issuer.watch = ShadowWatch(candidate, self._journal.submit)

    def end_shadow(self, by: str) -> None:
        """Stop the shadow.

        :raises PolicyUnknown: if none runs
        """
        with self._changing:
            shadow = self.history.shadow
            if shadow is None:
                raise PolicyUnknown("no set runs in shadow", remedy="start one with 'remit policy shadow DIR'")
            data = {"digest": shadow.digest, "by": by}
            self.authority.issuer.watch = None
            self._journal.append([Draft(type="policy.unshadowed", subject=shadow.digest, data=data)])

    def shadowed_ms(self, candidate: PolicySet) -> int | None:
        """How long this very set has run in shadow by now; ``None`` if it does not."""
        shadow = self.history.shadow
        if shadow is None or shadow.digest != candidate.digest:
            return None
        return max(0, self._home.clock.now_ms() - shadow.since_ms)

    # ---- publishing ----

    def publish(self, candidate: PolicySet, *, by: str, reason: str = "", override: bool = False) -> Published:
        """Put a set in force: files, record, then decisions."""
        widens = compare.widens(self.live.engine, candidate.engine)
        return self._enforce("policy.published", candidate, by, reason, {"widens": widens, "override": override})

    def earlier(self, digest: str) -> PolicySet:
        """A set that was in force before, made again from its record.

        :param digest: its beginning; "" for the last one that differs from the set in force
        :raises PolicyUnknown: if there is none
        :raises PolicyInvalid: if it may not be loaded any more
        """
        known = [one for one in reversed(self.history.sets) if one.digest != self.live.digest]
        found = next((one for one in known if one.digest.removeprefix("sha256:").startswith(digest)), None)
        if found is None or (digest and len(digest) < _SHORTEST):
            raise PolicyUnknown("there is no such earlier set", remedy="run 'remit policy history'")
        record = self._journal.record(found.seq)
        said = self._journal.data(record)
        again = load(found.posture, msgspec.convert(said.get("files", {}), dict[str, str]), like=self.live)
        if again.digest != found.digest:
            raise PolicyInvalid("that set came with other shipped policies, which this version does not have")
        return again

    def roll_back(self, earlier: PolicySet, *, by: str, reason: str = "") -> Published:
        """Put a set of before in force again."""
        return self._enforce("policy.rolledback", earlier, by, reason, {})

    def _enforce(self, kind: str, policies: PolicySet, by: str, reason: str, facts: dict[str, Any]) -> Published:
        with self._changing:
            self._write_files(policies)
            data = _texts(policies) | {"by": by, "reason": reason[:500]} | facts
            self._journal.append([Draft(type=kind, subject=policies.digest, data=data)])
            self.authority.publish(policies)
            if (
                isinstance(self.authority.issuer.watch, ShadowWatch)
                and self.authority.issuer.watch.digest == policies.digest
            ):
                self.authority.issuer.watch = None
        return self.history.sets[-1]

    def _write_files(self, policies: PolicySet) -> None:
        root = self._home.root
        present, _ = read_files(root, self._home.config.policy.files)
        for name, text in policies.files.items():
            if present.get(name) != text:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(root / name, text.encode(), mode=0o644)
        for name in present.keys() - policies.files.keys():
            (root / name).unlink()
        if policies.posture != self._home.config.policy.posture:
            document = tomlkit.parse(self._home.config_path.read_text(encoding="utf-8"))
            table = document.setdefault("policy", tomlkit.table())
            table["posture"] = policies.posture
            write_atomically(self._home.config_path, tomlkit.dumps(document).encode(), mode=0o644)
            self._home.reload()

    def _announce(self) -> None:
        """Record that this home decides under another set than before: its files were edited, or it is new."""
        sets = self.history.sets
        if not sets or sets[-1].digest != self.live.digest:
            data = _texts(self.live) | {"reason": "the files of the home" if sets else "the home's first policies"}
            self._journal.append([Draft(type="policy.published", subject=self.live.digest, data=data)])

    def _resume(self) -> None:
        shadow = self.history.shadow
        if shadow is None:
            return
        said = self._journal.data(self._journal.record(shadow.seq))
        try:
            candidate = load(shadow.posture, msgspec.convert(said["files"], dict[str, str]), like=self.live)
        except PolicyInvalid:
            return  # it came with other shipped policies: it stays in the history, and compares nothing
        self.authority.issuer.watch = ShadowWatch(candidate, self._journal.submit)


_SHORTEST = 6
"""Digits of a digest that name a set."""


def _lies_in_place(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name, written in its one plain way, is one of the files that the patterns mean below the home."""
    path = PurePosixPath(name)
    plain = str(path) == name and name.isprintable() and not path.is_absolute() and ".." not in path.parts
    # Only a pattern from the root on is compared with the whole path, not with its end.
    return plain and any(("/" / path).match(f"/{pattern}") for pattern in patterns)


def _texts(policies: PolicySet) -> dict[str, Any]:
    return {"digest": policies.digest, "posture": policies.posture, "files": dict(policies.files)}
