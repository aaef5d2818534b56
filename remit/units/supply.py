"""Keeping a home supplied: resolve what is wanted, admit what is missing, lock it, and follow what was withdrawn.

Nothing that runs changes here, but for what was killed: a plan shows the rest, and an apply does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from semantic_version.base import Version

from remit.errors import Denied, LockBroken, RegistryError, UnitUnknown
from remit.kernel.model import Bundle, Caller, EntityRef, Release
from remit.kernel.ports import Progress, no_progress
from remit.schemas.config import Config
from remit.units.lifecycle import Lifecycle
from remit.units.stock.installed import Installed, Withdrawn
from remit.units.stock.lockfile import as_release
from remit.units.stock.locking import Lock, Locked
from remit.units.stock.solving import solve

__all__ = ["LockChange", "Question", "Supplier", "Supply"]

Question = Callable[[str], Sequence[Release] | None]
"""Every version of a unit that one source has; ``None`` where it has nothing to do with the publisher."""


class LockChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changes in the lock."""

    unit: str
    kind: Literal["lock", "move", "drop"]
    before: str = ""
    """The version that was locked."""
    after: str = ""
    digest: str = ""
    source: str = ""


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync or an upgrade found; and did, unless it was only to look."""

    lock: tuple[LockChange, ...] = ()
    missing: tuple[Locked, ...] = ()
    """What is locked and was not installed."""
    lower: tuple[str, ...] = ()
    """``publisher/name@version`` of what is missing and lower than a version that is installed: a step back."""
    removed: tuple[str, ...] = ()
    """``publisher/name@version`` of what nothing needs."""
    withdrawn: tuple[Withdrawn, ...] = ()
    """Installed versions that their registry took back, whether or not that is news."""
    unasked: tuple[str, ...] = ()
    """Why a source could not be asked; what is known without it was used."""
    drift: tuple[str, ...] = ()
    """Units whose active version is another than the locked one: a plan shows what to do."""
    done: bool = False

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.lock or self.missing or self.removed)


class _Offers:
    """What is to be had, from the home itself and from its sources; keeps what could not be found out."""

    def __init__(
        self, lifecycle: Lifecycle, lock: Lock, questions: Sequence[Question], pins: Mapping[str, str]
    ) -> None:
        self._lifecycle = lifecycle
        self._lock = lock.releases()
        self._questions = questions
        self._pins = pins
        self.unasked: list[str] = []

    def __call__(self, unit: str) -> list[Release]:
        """Every version of a unit. What a registry says of it counts more than what was known when it came."""
        installed, library = self._lifecycle.installed, self._lifecycle.library
        here = [as_release(one, library) for one in installed.candidates(unit, "*")]
        known = {one.digest: self._marked(one, installed) for one in here}
        if unit in self._lock:
            known.setdefault(self._lock[unit].digest, self._marked(self._lock[unit], installed))
        known |= {release.digest: release for release in self.asked(unit)}
        pin = self._pins.get(unit)
        return [known[pin]] if pin in known else list(known.values()) if not pin else []

    def asked(self, unit: str) -> Sequence[Release]:
        """What the first source that covers the unit's publisher says."""
        for question in self._questions:
            try:
                found = question(unit)
            except RegistryError as error:
                self.unasked.append(f"{unit}: {error.message}")
                return []
            if found is not None:
                return found
        return []

    @staticmethod
    def _marked(release: Release, installed: Installed) -> Release:
        withdrawn = installed.withdrawn.get(release.digest)
        if withdrawn is None:
            return release
        return msgspec.structs.replace(release, withdrawn=withdrawn.kind, reason=withdrawn.reason)


class Supplier:
    """The work of ``remit unit sync`` and ``upgrade`` in one home.

    :param fetch: gives the bundle behind a reference
    :param questions: what the home's sources offer, asked anew for each piece of work
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        config: Callable[[], Config],
        fetch: Callable[[str, Progress], Bundle],
        questions: Callable[[], Sequence[Question]],
    ) -> None:
        self._lifecycle = lifecycle
        self._config = config
        self._fetch = fetch
        self._questions = questions

    def sync(
        self,
        caller: Caller,
        *,
        check: bool = False,
        prune: bool = False,
        allow_unsigned: bool = False,
        progress: Progress = no_progress,
    ) -> Supply:
        """Lock what is wanted, keeping what is locked where it can stay; admit what is missing.

        :param check: only look
        :param prune: uninstall what neither the lock nor the last two generations need
        :raises UnitsUnresolved: if no versions fit
        :raises LockBroken: if a source gives other contents than are locked
        """
        return self._supply(
            caller, (), check=check, prune=prune, allow_unsigned=allow_unsigned, allow_signer=False, progress=progress
        )

    def upgrade(
        self,
        units: Sequence[str],
        caller: Caller,
        *,
        preview: bool = False,
        allow_unsigned: bool = False,
        allow_signer: bool = False,
        progress: Progress = no_progress,
    ) -> Supply:
        """Lock the best versions that the ranges allow, of these units or of all, and admit them.

        :param preview: only look
        :raises UnitUnknown: if a unit is neither wanted nor locked
        :raises SignerChanged: if somebody else signed the new version, and that is not allowed
        """
        lock = self._lifecycle.lock.read() or Lock()
        known = {unit.id for unit in self._config().units} | set(lock.digests)
        unknown = sorted(set(units) - known)
        if unknown:
            raise UnitUnknown(f"{unknown[0]} is neither wanted nor locked", remedy="list it in remit.toml")
        return self._supply(
            caller,
            units or tuple(known),
            check=preview,
            prune=False,
            allow_unsigned=allow_unsigned,
            allow_signer=allow_signer,
            progress=progress,
        )

    def adopt(self, caller: Caller) -> Supply:
        """Lock what is active, asking nobody."""
        self._lifecycle.authorize(caller, "unit:apply", self._home())
        lock, installed = self._lifecycle.lock.read() or Lock(), self._lifecycle.installed
        active = [installed.by_digest.get(unit.ref.digest) for unit in self._lifecycle.generations.active.units]
        entries = [self._entry(as_release(one, self._lifecycle.library), lock) for one in active if one is not None]
        self._lifecycle.lock.write(entries)
        return Supply(lock=tuple(_changes(lock, entries)), done=True)

    def _supply(
        self,
        caller: Caller,
        moving: Iterable[str],
        *,
        check: bool,
        prune: bool,
        allow_unsigned: bool,
        allow_signer: bool,
        progress: Progress,
    ) -> Supply:
        lifecycle, config = self._lifecycle, self._config()
        if not check:  # before anything is asked of registries, or believed of them
            lifecycle.authorize(caller, "unit:apply", self._home())
        before = lifecycle.lock.read() or Lock()
        pins = {unit.id: unit.pin for unit in config.units if unit.pin}
        offers = _Offers(lifecycle, before, self._questions(), pins)
        progress("asking the registries", 0.0)
        withdrawn = self._withdrawn(offers)
        if not check:
            lifecycle.withdraw(withdrawn, caller)
        wanted = {unit.id: unit.version or "*" for unit in config.units}
        free = frozenset(moving)
        held = {unit: digest for unit, digest in self._held(before).items() if unit not in free}
        chosen = solve(wanted, offers, held)
        missing = [one for one in chosen if one.digest not in lifecycle.installed.by_digest]
        lower = [f"{one.id}@{one.version}" for one in missing if self._is_lower(one)]
        if not check:
            for index, release in enumerate(missing):
                progress(f"installing {release.id}", index / len(missing))
                self._admit(release, before, caller, allow_unsigned, allow_signer, progress)
        entries = [self._entry(release, before) for release in chosen]
        idle = self._idle(entries) if prune else []
        if not check:
            lifecycle.lock.write(entries)
            for unit, version in idle:
                lifecycle.uninstall(unit, f"={version}", caller)
        active = {unit.ref.id: unit.ref.digest for unit in lifecycle.generations.active.units}
        return Supply(
            lock=tuple(_changes(before, entries)),
            missing=tuple(entry for entry in entries if entry.digest in {one.digest for one in missing}),
            lower=tuple(lower),
            removed=tuple(f"{unit}@{version}" for unit, version in idle),
            withdrawn=tuple(withdrawn),
            unasked=tuple(dict.fromkeys(offers.unasked)),
            drift=tuple(sorted(entry.id for entry in entries if active.get(entry.id) != entry.digest)),
            done=not check,
        )

    def _held(self, lock: Lock) -> dict[str, str]:
        """What stays where it can: what is locked, and before the first lock what is active."""
        active = {unit.ref.id: unit.ref.digest for unit in self._lifecycle.generations.active.units}
        return active | dict(lock.digests)

    def _withdrawn(self, offers: _Offers) -> list[Withdrawn]:
        installed = self._lifecycle.installed
        found = dict(installed.withdrawn)
        for unit in sorted({one.ref.id for one in installed.by_digest.values()}):
            # A registry speaks of this unit's versions alone: another's digest in its answer means nothing.
            own = {one.ref.digest for one in installed.candidates(unit, "*")}
            for release in offers.asked(unit):
                if release.withdrawn and release.digest in own:
                    found[release.digest] = Withdrawn(
                        unit, release.version, release.digest, release.withdrawn, release.reason, release.source
                    )
        return [one for digest, one in sorted(found.items()) if digest in installed.by_digest]

    def _admit(
        self,
        release: Release,
        before: Lock,
        caller: Caller,
        allow_unsigned: bool,
        allow_signer: bool,
        progress: Progress,
    ) -> None:
        bundle = self._fetch(release.source, progress)
        if bundle.digest != release.digest:
            raise LockBroken(f"{release.source} gives {bundle.digest} for {release.id}@{release.version}")
        known = before.unit(release.id)
        try:
            self._lifecycle.install(
                bundle,
                caller,
                allow_unsigned=allow_unsigned,
                override=allow_signer,
                signer=known.signer if known is not None and not allow_signer else None,
                progress=progress,
            )
        except Denied as denied:
            # A lock comes from wherever its file came from: that it steps back is not yet somebody's decision.
            if not self._is_lower(release):
                raise
            raise Denied(
                f"the lock steps back to {release.id}@{release.version}: {denied.message}",
                remedy=f"if that is meant, run 'remit unit install {release.source} --override', then sync again",
                **denied.details,
            ) from denied

    def _is_lower(self, release: Release) -> bool:
        here = self._lifecycle.installed.candidates(release.id, "*")
        return bool(here) and Version(release.version) < Version(here[0].ref.version)

    def _entry(self, release: Release, before: Lock) -> Locked:
        known = before.unit(release.id)
        if known is not None and known.digest == release.digest:
            return known
        here = self._lifecycle.installed.by_digest.get(release.digest)
        if here is None:
            return Locked(release.id, release.version, release.digest, release.source, requires=dict(release.requires))
        entry = self._lifecycle.lock.entry(here)
        # What the registry calls it names this very version; what the operator typed may have been a range.
        return msgspec.structs.replace(entry, source=release.source)

    def _idle(self, entries: Sequence[Locked]) -> list[tuple[str, str]]:
        generations = self._lifecycle.generations
        needed = {entry.digest for entry in entries}
        for number in (generations.active.number, generations.active.number - 1):
            if number in generations.by_number:
                needed |= {unit.ref.digest for unit in generations.by_number[number].running}
        return [
            (unit.ref.id, unit.ref.version)
            for unit in self._lifecycle.installed.by_digest.values()
            if unit.ref.digest not in needed
        ]

    def _home(self) -> EntityRef:
        return EntityRef("Home", self._lifecycle.home_id)


def _changes(before: Lock, entries: Iterable[Locked]) -> Iterable[LockChange]:
    after = {entry.id: entry for entry in entries}
    for unit in sorted({*after, *before.digests}):
        old, new = before.unit(unit), after.get(unit)
        if new is None and old is not None:
            yield LockChange(unit, "drop", before=old.version, digest=old.digest)
        elif new is not None and (old is None or old.digest != new.digest):
            kind: Literal["lock", "move"] = "lock" if old is None else "move"
            yield LockChange(unit, kind, old.version if old else "", new.version, new.digest, new.source)
