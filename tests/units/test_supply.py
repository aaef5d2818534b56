"""A home is supplied from its lock: the same digests everywhere, nothing moves unasked, and what was withdrawn ends."""

from __future__ import annotations

import msgspec
import pytest

from remit.errors import Denied, LockBroken, LockInvalid, PlanBlocked, RegistryUnreachable, UnitsUnresolved, UnitUnknown
from remit.host import Kernel, init
from remit.kernel.hookspecs import hookimpl
from remit.kernel.model import Release
from remit.registry import FolderSource
from remit.units.stock.locking import read_lock


class Shelf:
    """A source of units in memory that can say which versions there are, and be wrong about them."""

    def __init__(self):
        self.bundles = {}
        self.listed = {}
        self.closed = False
        self.asked = []

    def put(self, unit_id, version, folder, requires=None):
        bundle = FolderSource().fetch(str(folder))
        release = Release(unit_id, version, bundle.digest, f"shelf:{bundle.digest}", requires or {})
        self.bundles[release.source] = bundle
        self.listed.setdefault(unit_id, []).append(release)
        return release

    def mark(self, release, withdrawn, reason=""):
        self.listed[release.id] = [
            msgspec.structs.replace(one, withdrawn=withdrawn, reason=reason) if one.digest == release.digest else one
            for one in self.listed[release.id]
        ]

    def accepts(self, reference):
        return reference.startswith("shelf:")

    def fetch(self, reference, progress=None):
        del progress
        self.asked.append(reference)
        return msgspec.structs.replace(self.bundles[reference], origin=reference)

    def releases(self):
        def ask(unit):
            if self.closed:
                raise RegistryUnreachable("the shelf is closed")
            return self.listed.get(unit, [])

        return ask

    @hookimpl
    def remit_bundle_sources(self, home):
        del home
        return [self]


@pytest.fixture
def shelf(author):
    shelf = Shelf()

    def stock(unit_id, version, requires=None):
        lines = [f'"{other}" = "{text}"' for other, text in (requires or {}).items()]
        more = "\n".join(["[requires.units]", *lines]) if lines else ""
        return shelf.put(unit_id, version, author.tool(unit_id, version=version, more=more), requires)

    shelf.stock = stock
    return shelf


@pytest.fixture
def open_home(tmp_path, shelf):
    """Opens a home of a name that wants these units."""
    opened = []

    def open_(name, *wanted):
        root = tmp_path / name
        if not root.exists():
            init(root)
            entries = [f'[[unit]]\nid = "{unit}"\nversion = "{text}"\n' for unit, text in wanted]
            with (root / "remit.toml").open("a") as file:
                file.write("\n" + "\n".join(entries))
        opened.append(Kernel.open(root, serve=False, plugins={"shelf": shelf}))
        return opened[-1]

    yield open_
    for kernel in opened:
        kernel.close()


def versions(kernel):
    return {unit.ref.id: unit.ref.version for unit in kernel.history()[-1].units}


def lock_of(tmp_path, name):
    return {unit.id: unit.version for unit in read_lock((tmp_path / name / "remit.lock").read_bytes()).units}


def test_a_sync_admits_what_is_wanted_and_all_that_it_needs(shelf, open_home, tmp_path):
    shelf.stock("acme/base", "1.0.0")
    shelf.stock("acme/base", "2.0.0")
    shelf.stock("acme/top", "1.0.0", {"acme/base": "^1.0.0"})
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    kernel.apply(kernel.plan(), consent=True)
    assert versions(kernel) == {"acme/base": "1.0.0", "acme/top": "1.0.0"}
    assert lock_of(tmp_path, "one") == {"acme/base": "1.0.0", "acme/top": "1.0.0"}


def test_another_home_with_the_lock_gets_the_same_digests_though_there_are_newer_ones(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0")
    first = open_home("one", ("acme/top", "^1.0.0"))
    first.sync(allow_unsigned=True)
    shelf.stock("acme/top", "1.1.0")
    second = open_home("two", ("acme/top", "^1.0.0"))
    (tmp_path / "two" / "remit.lock").write_bytes((tmp_path / "one" / "remit.lock").read_bytes())
    second.sync(allow_unsigned=True)
    second.apply(second.plan(), consent=True)
    assert versions(second) == {"acme/top": "1.0.0"}
    assert (tmp_path / "two" / "remit.lock").read_bytes() == (tmp_path / "one" / "remit.lock").read_bytes()


def test_a_check_says_what_a_sync_would_do_and_changes_nothing(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "*"))
    head = kernel.home().head
    found = kernel.sync_check()
    assert [(change.unit, change.kind, change.after) for change in found.lock] == [("acme/top", "lock", "1.0.0")]
    assert [entry.id for entry in found.missing] == ["acme/top"]
    assert not (tmp_path / "one" / "remit.lock").exists()
    assert kernel.home().head == head


def test_a_second_sync_has_nothing_to_do(shelf, open_home):
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "*"))
    assert kernel.sync(allow_unsigned=True).changed
    assert not kernel.sync(allow_unsigned=True).changed


def test_an_upgrade_moves_what_it_names_within_the_ranges(shelf, open_home, tmp_path):
    for unit in ("acme/a", "acme/b"):
        shelf.stock(unit, "1.0.0")
    kernel = open_home("one", ("acme/a", "^1.0.0"), ("acme/b", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    kernel.apply(kernel.plan(), consent=True)
    for unit in ("acme/a", "acme/b"):
        shelf.stock(unit, "1.2.0")
        shelf.stock(unit, "2.0.0")
    previewed = kernel.upgrade_preview(["acme/a"])
    done = kernel.upgrade(["acme/a"], allow_unsigned=True)
    assert previewed.lock == done.lock
    assert lock_of(tmp_path, "one") == {"acme/a": "1.2.0", "acme/b": "1.0.0"}
    assert versions(kernel) == {"acme/a": "1.0.0", "acme/b": "1.0.0"}
    kernel.apply(kernel.plan(), consent=True)
    assert versions(kernel) == {"acme/a": "1.2.0", "acme/b": "1.0.0"}


def test_an_upgrade_of_a_unit_that_nobody_wants_is_refused(open_home):
    with pytest.raises(UnitUnknown, match="acme/ghost"):
        open_home("one").upgrade(["acme/ghost"])


def test_an_apply_keeps_the_lock_in_step_with_what_a_command_named(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    kernel.apply(kernel.plan(), consent=True)
    newer = kernel.install(shelf.stock("acme/top", "1.5.0").source, allow_unsigned=True)
    kernel.apply(kernel.plan(add=[newer]), consent=True)
    assert lock_of(tmp_path, "one") == {"acme/top": "1.5.0"}
    assert not kernel.plan().changed


def test_adopting_locks_what_is_active_and_asks_nobody(shelf, open_home, author, tmp_path):
    kernel = open_home("one")
    kernel.apply(kernel.plan(add=[kernel.install(str(author.tool("acme/local")), allow_unsigned=True)]), consent=True)
    shelf.closed = True
    kernel.adopt()
    assert lock_of(tmp_path, "one") == {"acme/local": "1.0.0"}
    assert shelf.asked == []


def test_a_closed_source_is_named_and_what_is_locked_and_installed_suffices(shelf, open_home):
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "*"))
    kernel.sync(allow_unsigned=True)
    shelf.closed = True
    found = kernel.sync(allow_unsigned=True)
    assert not found.changed
    assert "the shelf is closed" in found.unasked[0]


def test_what_cannot_be_had_is_refused_and_the_lock_stays(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0", {"acme/ghost": "^1.0.0"})
    kernel = open_home("one", ("acme/top", "*"))
    with pytest.raises(UnitsUnresolved, match="acme/ghost has no version anywhere"):
        kernel.sync(allow_unsigned=True)
    assert not (tmp_path / "one" / "remit.lock").exists()


def test_other_contents_than_are_locked_are_not_admitted(shelf, open_home, author):
    release = shelf.stock("acme/top", "1.0.0")
    shelf.bundles[release.source] = FolderSource().fetch(str(author.tool("acme/top", version="1.0.1")))
    kernel = open_home("one", ("acme/top", "*"))
    with pytest.raises(LockBroken):
        kernel.sync(allow_unsigned=True)
    assert kernel.units() == []


def test_a_malformed_lock_is_refused_and_left_as_it_is(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "*"))
    (tmp_path / "one" / "remit.lock").write_text("no lock")
    with pytest.raises(LockInvalid):
        kernel.sync(allow_unsigned=True)
    with pytest.raises(LockInvalid):
        kernel.plan()
    assert (tmp_path / "one" / "remit.lock").read_text() == "no lock"


def test_a_yanked_version_makes_room_for_one_that_stands(shelf, open_home, tmp_path):
    shelf.stock("acme/top", "1.0.0")
    bad = shelf.stock("acme/top", "1.1.0")
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    kernel.apply(kernel.plan(), consent=True)
    shelf.mark(bad, "yanked", "leaks")
    found = kernel.sync(allow_unsigned=True)
    assert [(one.version, one.kind, one.reason) for one in found.withdrawn] == [("1.1.0", "yanked", "leaks")]
    assert kernel.call("acme/top:echo", {"still": "running"}) == {"still": "running"}
    kernel.apply(kernel.plan(), consent=True)
    assert versions(kernel) == {"acme/top": "1.0.0"} == lock_of(tmp_path, "one")


def test_a_killed_version_runs_nowhere_from_the_next_sync_on_and_after_a_restart(shelf, open_home):
    bad = shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    kernel.apply(kernel.plan(), consent=True)
    shelf.stock("acme/top", "1.1.0")
    shelf.mark(bad, "killed", "steals")
    kernel.sync(allow_unsigned=True)
    with pytest.raises(Denied, match=r"guard\.quarantine-call"):
        kernel.call("acme/top:echo", {})
    kernel.close()
    again = open_home("one")
    with pytest.raises(Denied):
        again.call("acme/top:echo", {})
    again.apply(again.plan(), consent=True)
    assert again.call("acme/top:echo", {}) == {}
    with pytest.raises(PlanBlocked, match="killed"):
        again.apply(again.plan(revert="1"), consent=True)


def test_a_killed_version_is_not_admitted_again(shelf, open_home):
    bad = shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    kernel.sync(allow_unsigned=True)
    shelf.mark(bad, "killed")
    shelf.stock("acme/top", "1.1.0")
    kernel.sync(allow_unsigned=True)
    kernel.uninstall("acme/top", "=1.0.0")
    with pytest.raises(Denied, match=r"guard\.killed"):
        kernel.install(bad.source, allow_unsigned=True)


def test_a_registry_cannot_withdraw_the_version_of_another_unit(shelf, open_home):
    other = shelf.stock("acme/other", "1.0.0")
    shelf.stock("acme/top", "1.0.0")
    kernel = open_home("one", ("acme/top", "*"), ("acme/other", "*"))
    kernel.sync(allow_unsigned=True)
    shelf.listed["acme/top"].append(msgspec.structs.replace(other, id="acme/top", withdrawn="killed"))
    assert kernel.sync(allow_unsigned=True).withdrawn == ()


def test_pruning_keeps_what_the_lock_and_the_last_two_generations_need(shelf, open_home):
    kernel = open_home("one", ("acme/top", "^1.0.0"))
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        shelf.stock("acme/top", version)
        kernel.upgrade(["acme/top"], allow_unsigned=True)
        kernel.apply(kernel.plan(), consent=True)
    found = kernel.sync(prune=True, allow_unsigned=True)
    assert found.removed == ("acme/top@1.0.0",)
    assert {unit.ref.version for unit in kernel.units()} == {"1.1.0", "1.2.0"}


ONCE_MORE = """
@id("test.once")
@why("not without a word")
forbid (principal, action == Remit::Action::"unit:install", resource)
when { context has version && context.version == "1.0.0" }
unless { context has override && context.override };
"""


def test_a_step_back_is_shown_and_where_policy_refuses_it_the_way_is_named(shelf, open_home, tmp_path):
    old = shelf.stock("acme/top", "1.0.0")
    new = shelf.stock("acme/top", "1.1.0")
    kernel = open_home("one", ("acme/top", "*"))
    kernel.sync(allow_unsigned=True)
    lock = tmp_path / "one" / "remit.lock"
    lock.write_text(lock.read_text().replace(new.digest, old.digest).replace("1.1.0", "1.0.0"))
    (tmp_path / "one" / "policy" / "once.cedar").write_text(ONCE_MORE)
    kernel.close()
    kernel = open_home("one")
    assert kernel.sync_check().lower == ("acme/top@1.0.0",)
    with pytest.raises(Denied, match=r"steps back to acme/top@1\.0\.0") as denied:
        kernel.sync(allow_unsigned=True)
    assert f"remit unit install {old.source} --override" in denied.value.remedy
    kernel.install(old.source, allow_unsigned=True, override=True)
    assert kernel.sync(allow_unsigned=True).missing == ()
