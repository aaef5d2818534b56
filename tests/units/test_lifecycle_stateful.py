"""Random sequences of install, apply, revert, uninstall, edit and restart, against a model in plain Python."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import tomlkit
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from remit.errors import NothingToRevert, PlanBlocked, UnitInUse, UnitUnknown
from remit.host import Kernel, init
from remit.journal import encode_json
from remit.units import Plan
from remit.units.generations.documents import operations
from remit.units.generations.recall import Recall

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where syncs cost nothing: what a crash leaves is looked at elsewhere."""
NAMES = ("acme/a", "acme/b", "acme/c")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
BASE = {"model": "small", "guards": {}}

values = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["x", "y"]))
patches = st.dictionaries(
    st.sampled_from(["p", "q", "guards"]),
    st.one_of(values, st.dictionaries(st.sampled_from(["r", "s"]), values)),
    max_size=3,
)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, written again."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items() if item is not None) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def without_nulls(value: Any) -> Any:
    # TOML has no null: a manifest cannot say it, so neither may the model.
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


class Unit:
    """An installed version as the model knows it."""

    def __init__(self, name: str, version: str, patch: dict[str, Any]) -> None:
        self.name, self.version, self.patch = name, version, patch

    @property
    def key(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    def same_code(self, other: Unit) -> bool:
        return (self.name, self.version, self.patch) == (other.name, other.version, other.patch)


class Wanted:
    """An active unit: what runs, and the caret range it was added with."""

    def __init__(self, unit: Unit, floor: str) -> None:
        self.unit, self.floor = unit, floor

    def allows(self, unit: Unit) -> bool:
        floor = tuple(int(part) for part in self.floor.split("."))
        return unit.key[0] == floor[0] and unit.key >= floor

    def same(self, other: Wanted) -> bool:
        return self.unit.same_code(other.unit) and self.floor == other.floor


class Lifecycles(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="remit-lifecycle-", dir=MEMORY))
        self.home = self.folder / "home"
        init(self.home)
        self.kernel = Kernel.open(self.home, serve=False)
        self.installed: list[Unit] = []
        self.active: list[Wanted] = []
        self.base: dict[str, Any] = dict(BASE)
        # What each generation held: (units, base), and the generation whose content it has.
        self.generations: list[tuple[list[Wanted], dict[str, Any]]] = [([], dict(BASE))]
        self.origins = [0]

    # ---- the model's own rules ----

    def best(self, name: str, wanted: Wanted | None) -> Unit | None:
        found = [unit for unit in self.installed if unit.name == name and (wanted is None or wanted.allows(unit))]
        return max(found, key=lambda unit: (unit.key, self.installed.index(unit)), default=None)

    def is_here(self, unit: Unit) -> bool:
        return any(known.same_code(unit) for known in self.installed)

    def record(self, units: list[Wanted], base: dict[str, Any], origin: int | None) -> None:
        before = self.generations[-1]
        same = len(units) == len(before[0]) and all(a.same(b) for a, b in zip(units, before[0], strict=True))
        self.active, self.base = units, base
        if same and (base == before[1] or len(self.generations) == 1):
            return
        self.generations.append((units, base))
        self.origins.append(len(self.generations) - 1 if origin is None else origin)

    # ---- what operators do ----

    @rule(name=st.sampled_from(NAMES), version=st.sampled_from(VERSIONS), patch=patches)
    def install(self, name: str, version: str, patch: dict[str, Any]) -> None:
        patch = without_nulls(patch)
        folder = self.folder / f"u{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        lines = [
            'schema = "unit/v1"',
            f'id = "{name}"',
            f'version = "{version}"',
            'kind = "config"',
            'title = "t"',
            'license = "Apache-2.0"',
            "[[patch]]",
            'target = "assistant"',
            'op = "merge"',
            f"value = {toml_value(patch)}",
        ]
        (folder / "unit.toml").write_text("\n".join(lines))
        self.kernel.install(str(folder), allow_unsigned=True)
        unit = Unit(name, version, patch)
        if not self.is_here(unit):
            self.installed.append(unit)

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    def add(self, names: list[str]) -> None:
        units = list(self.active)
        possible = True
        for name in names:
            current = next((wanted for wanted in units if wanted.unit.name == name), None)
            unit = self.best(name, current)
            if unit is None:
                possible = False
            elif current is None:
                units.append(Wanted(unit, unit.version))
            else:
                units[units.index(current)] = Wanted(unit, current.floor)
        self.change(units if possible else None, add=names)

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([wanted.unit.name for wanted in self.active]))
        self.change([wanted for wanted in self.active if wanted.unit.name != name], remove=[name])

    def change(self, units: list[Wanted] | None, **edits: Any) -> None:
        plan = self.kernel.plan(**edits)
        assert self.forgetful(**edits).digest == plan.digest, "what was recalled had changed"
        if units is None or not all(self.is_here(wanted.unit) for wanted in units):
            assert plan.blocking
            try:
                self.kernel.apply(plan)
            except PlanBlocked:
                return
            raise AssertionError("a blocked plan was applied")
        self.applied(plan)
        self.record(units, dict(self.edited_base()), None)

    def forgetful(self, **edits: Any) -> Plan:
        """The plan of one who recalls nothing."""
        lifecycle = self.kernel._rooms.lifecycle
        kept, lifecycle._recall = lifecycle._recall, Recall()
        try:
            return self.kernel.plan(**edits)
        finally:
            lifecycle._recall = kept

    def applied(self, plan: Plan) -> None:
        """Apply it: what is active then is what the plan said, byte for byte."""
        before = self.kernel.history()[-1]
        generation = self.kernel.apply(plan)
        if not plan.changed:
            assert generation == before
            return
        foretold = msgspec.structs.replace(plan.candidate, at_ms=generation.at_ms, author=generation.author)
        assert generation.digest == foretold.digest
        assert encode_json(self.kernel.document("assistant")) == encode_json(foretold.document("assistant"))
        seen = before.document("assistant") if before.documents else self.base
        told = [operations(diff.changes) for diff in plan.documents]
        for patch in told:
            seen = jsonpatch.apply_patch(seen, patch)
        assert encode_json(seen) == encode_json(self.kernel.document("assistant"))

    def edited_base(self) -> dict[str, Any]:
        return dict(tomlkit.parse((self.home / "remit.toml").read_text()).unwrap()["document"]["assistant"]["base"])

    @rule(model=st.sampled_from(["small", "large"]))
    def edit_base(self, model: str) -> None:
        path = self.home / "remit.toml"
        root = tomlkit.parse(path.read_text())
        root["document"]["assistant"]["base"]["model"] = model
        path.write_text(tomlkit.dumps(root))
        self.applied(self.kernel.plan())
        self.record(list(self.active), self.edited_base(), None)

    @rule()
    def undo(self) -> None:
        origin = self.origins[-1]
        if origin == 0:
            try:
                self.kernel.revert()
            except NothingToRevert:
                return
            raise AssertionError("there was nothing to undo")
        self.go_back(origin - 1, "last")

    @rule(data=st.data())
    def revert_to(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.generations) - 1))
        self.go_back(number, str(number))

    def go_back(self, number: int, target: str) -> None:
        units, base = self.generations[number]
        if number == 0:
            base = self.edited_base()  # the empty generation holds no documents: today's stay
        self.applied(self.kernel.plan(revert=target))
        self.record(units, dict(base), self.origins[number])

    @precondition(lambda self: len(self.generations) > 1)
    @rule(data=st.data())
    def there_and_back(self, data: st.DataObject) -> None:
        last = len(self.generations) - 1
        before = self.kernel.history()[-1]
        self.revert_to_number(data.draw(st.integers(1, last)))
        self.revert_to_number(last)
        after = self.kernel.history()[-1]
        assert encode_json([after.units, after.documents]) == encode_json([before.units, before.documents])

    def revert_to_number(self, number: int) -> None:
        self.go_back(number, str(number))

    @rule(name=st.sampled_from(NAMES))
    def revert_unit(self, name: str) -> None:
        def of(generation: int) -> Wanted | None:
            return next((wanted for wanted in self.generations[generation][0] if wanted.unit.name == name), None)

        last = len(self.generations) - 1
        now = of(last)
        earlier = None
        for number in range(last - 1, -1, -1):
            before = of(number)
            if (before is None) != (now is None) or (before and now and not before.same(now)):
                earlier = number
                break
        if earlier is None:
            try:
                self.kernel.revert(name)
            except NothingToRevert:
                return
            raise AssertionError("the unit never changed")
        self.applied(self.kernel.plan(revert=name))
        before = of(earlier)
        others = [wanted for wanted in self.active if wanted.unit.name != name]
        if before is not None:
            if now is not None:
                place = [wanted.unit.name for wanted in self.active].index(name)
            else:
                order = [wanted.unit.name for wanted in self.generations[earlier][0]]
                ahead = set(order[: order.index(name)])
                place = max((i + 1 for i, wanted in enumerate(others) if wanted.unit.name in ahead), default=0)
            others.insert(place, before)
        self.record(others, self.edited_base(), None)

    @precondition(lambda self: self.installed)
    @rule(data=st.data())
    def uninstall(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([unit.name for unit in self.installed]))
        best = self.best(name, None)
        assert best is not None
        running = any(wanted.unit.same_code(best) for wanted in self.active)
        in_history = any(wanted.unit.same_code(best) for units, _ in self.generations for wanted in units)
        if running:
            try:
                self.kernel.uninstall(name)
            except UnitInUse:
                return
            raise AssertionError("an active unit was uninstalled")
        if in_history:
            return  # going back to it would be blocked, which test_reverting covers
        self.kernel.uninstall(name)
        self.installed.remove(best)

    @rule()
    def nobody_knows_this_unit(self) -> None:
        try:
            self.kernel.plan(remove=["acme/unknown"])
        except UnitUnknown:
            return
        raise AssertionError("an unknown unit was removed")

    @rule()
    def restart(self) -> None:
        self.kernel.close()
        self.kernel = Kernel.open(self.home, serve=False)

    # ---- what must hold after each step ----

    @invariant()
    def active_units_are_the_models(self) -> None:
        if not hasattr(self, "kernel"):
            return
        found = [entry.ref for entry in self.kernel.units() if entry.active]
        wanted = {(wanted.unit.name, wanted.unit.version) for wanted in self.active}
        assert {(ref.id, ref.version) for ref in found} == wanted

    @invariant()
    def the_document_is_the_fold(self) -> None:
        if not hasattr(self, "kernel"):
            return
        expected: Any = self.base
        for wanted in self.active:
            expected = merged(expected, wanted.unit.patch)
        assert self.kernel.document("assistant") == expected

    @invariant()
    def the_file_wants_what_is_active(self) -> None:
        if not hasattr(self, "kernel"):
            return
        wanted = tomlkit.parse((self.home / "remit.toml").read_text()).unwrap().get("unit", [])
        assert [entry["id"] for entry in wanted] == [wanted.unit.name for wanted in self.active]
        assert not self.kernel.plan().changed

    def teardown(self) -> None:
        if hasattr(self, "kernel"):
            self.kernel.close()
            shutil.rmtree(self.folder)


SOAK = int(os.environ.get("REMIT_SOAK", "1"))
SEQUENCES = 50 if SOAK == 1 else 500 * SOAK


def test_documents_and_units_are_the_models_after_every_step(record_property) -> None:
    record_property("random sequences of up to 20 operations", SEQUENCES)
    chosen = settings(max_examples=SEQUENCES, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Lifecycles, settings=chosen)
