"""Units' state taken back by ``revert --with-state``, as new versions; taken away by ``uninstall --purge-state``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from remit.errors import UnitInUse, UsageError
from remit.host import Kernel
from remit.journal.unitstate import StateTable, rebuild
from remit.kernel.model import Caller

OTHER = Caller(namespace="other")


@pytest.fixture
def counting(kernel: Kernel, unit, author) -> Kernel:
    """Generation 1 counts to 2 (and to 1 in another namespace); generation 2, with one more unit, to 5."""
    kernel.install(str(unit("counter")), allow_unsigned=True)
    kernel.apply(kernel.plan(add=["acme/counter"]), consent=True)
    for _ in range(2):
        kernel.call("acme/counter:increment")
    kernel.call("acme/counter:increment", caller=OTHER)
    kernel.install(str(author.config("acme/tone", "{ a = 1 }")), allow_unsigned=True)
    kernel.apply(kernel.plan(add=["acme/tone"]))
    for _ in range(3):
        kernel.call("acme/counter:increment")
    kernel.call("acme/counter:increment", caller=OTHER)
    return kernel


def count(kernel: Kernel, caller: Caller = OTHER) -> int:
    return kernel.call("acme/counter:read", caller=caller)["count"]


def test_state_comes_back_in_every_namespace(counting: Kernel) -> None:
    counting.revert("1", with_state=True)
    assert (count(counting, Caller()), count(counting)) == (2, 1)
    assert counting.call("acme/counter:increment") == {"count": 3}


def test_without_being_asked_state_stays(counting: Kernel) -> None:
    counting.revert("1")
    assert (count(counting, Caller()), count(counting)) == (5, 2)


def test_going_back_before_any_state_deletes_it_and_undoing_that_brings_it_back(counting: Kernel) -> None:
    table = StateTable(counting._rooms.journal, "main", "acme/counter")
    before = {key: table.get(key)[0] for key in table.keys("", "", 100)}
    assert before
    seq = counting.home().head
    counting.apply(counting.plan(revert="1", with_state=True))
    counting.apply(counting.plan(revert="2", with_state=True))
    assert {key: table.get(key)[0] for key in table.keys("", "", 100)} == before
    assert {key: table.get(key, seq)[0] for key in table.keys("", "", 100, seq)} == before


def test_the_plan_says_whose_state_goes_back(counting: Kernel) -> None:
    plan = counting.plan(revert="1", with_state=True)
    assert [(back.unit, back.generation) for back in plan.state] == [("acme/counter", 1)]
    assert counting.plan(revert="1").state == ()


def test_one_units_revert_takes_its_own_state_only(counting: Kernel) -> None:
    plan = counting.plan(revert="acme/tone", with_state=True)
    assert plan.state == ()  # it was not there before: nothing of it to bring back


def test_the_table_is_what_the_journal_says(counting: Kernel) -> None:
    counting.revert("1", with_state=True)
    rows = counting._rooms.journal.execute("SELECT * FROM unit_state")
    assert sorted(rows) == sorted(rebuild(counting._rooms.journal))


def test_only_a_revert_takes_state_back(kernel: Kernel) -> None:
    with pytest.raises(UsageError):
        kernel.plan(with_state=True)


def test_a_restoration_survives_a_restart(counting: Kernel, home: Path) -> None:
    counting.revert("1", with_state=True)
    counting.close()
    with Kernel.open(home, serve=False) as again:
        assert count(again, Caller()) == 2
        [restored, _] = again.events(prefixes=["state.restored"])
        assert msgspec.to_builtins(restored)["event"]["data"]["generation"] == 1


def test_a_purge_takes_the_state_of_every_namespace_and_a_new_start_counts_from_nothing(counting: Kernel) -> None:
    counting.apply(counting.plan(remove=["acme/counter"]))
    counting.uninstall("acme/counter", purge_state=True)
    rows = counting._rooms.journal.execute("SELECT * FROM unit_state ORDER BY namespace, unit, key, version")
    assert rows == [] == sorted(rebuild(counting._rooms.journal))


def test_a_purge_is_refused_while_the_unit_is_active(counting: Kernel) -> None:
    with pytest.raises(UnitInUse):
        counting.uninstall("acme/counter", purge_state=True)
    assert count(counting, Caller()) == 5


def test_a_unit_that_comes_back_after_a_purge_starts_anew(counting: Kernel, unit) -> None:
    counting.apply(counting.plan(remove=["acme/counter"]))
    counting.uninstall("acme/counter", purge_state=True)
    counting.install(str(unit("counter")), allow_unsigned=True)
    counting.apply(counting.plan(add=["acme/counter"]), consent=True)
    assert counting.call("acme/counter:increment") == {"count": 1}
    rows = counting._rooms.journal.execute("SELECT * FROM unit_state ORDER BY namespace, unit, key, version")
    assert rows == sorted(rebuild(counting._rooms.journal))
