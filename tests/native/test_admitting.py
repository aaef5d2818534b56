"""Whose native code may run, and who says so: policy at each step, a person at each digest; nothing runs before."""

from __future__ import annotations

import pytest

from remit.errors import ConsentNeeded, Denied, PlanBlocked

GREET = """
@action
def run():
    return "hello"
"""


@pytest.mark.parametrize("posture", ["relaxed", "standard"])
def test_no_shipped_policy_lets_native_code_in(unit, home, opened, posture):
    kernel = opened(root=home(trust="", posture=posture))
    with pytest.raises(Denied, match="native code of acme/inside may not run"):
        kernel.install(str(unit(GREET)), allow_unsigned=True)
    assert kernel.units() == []


def test_in_posture_strict_no_permit_helps(unit, home, opened):
    kernel = opened(root=home(posture="strict"))
    with pytest.raises(Denied) as caught:
        kernel.install(str(unit(GREET)), allow_unsigned=True)
    assert caught.value.details["policies"] == ["guard.native"]


def test_a_permit_is_for_the_publisher_that_it_names(unit, opened):
    with pytest.raises(Denied):
        opened(unit(GREET, unit="other/inside"))


def test_every_digest_of_native_code_widens(unit, opened):
    kernel = opened()
    for version in ("1.0.0", "1.0.1"):
        plan = kernel.plan(add=[kernel.install(str(unit(GREET, version=version)), allow_unsigned=True)])
        assert [(one.kind, one.detail[:15]) for one in plan.widening] == [("code", "new native code")]
        with pytest.raises(ConsentNeeded):
            kernel.apply(plan)
        kernel.apply(plan, consent=True)
    assert kernel.plan().widening == ()


def test_nothing_of_a_unit_runs_before_it_is_called(unit, opened, tmp_path):
    mark = tmp_path / "mark"
    more = '[[test]]\naction = "run"\ninput = {}\nexpect = "hello"\n'
    kernel = opened(unit(f"open({str(mark)!r}, 'w').close()" + GREET, more))
    assert not mark.exists()
    kernel.call("acme/inside:run", {})
    assert mark.exists()


def test_when_policy_forgets_the_publisher_the_code_stops_and_blocks_plans(unit, home, opened):
    root = home()
    kernel = opened(unit(GREET), root=root)
    assert kernel.call("acme/inside:run", {}) == "hello"
    kernel.close()
    (root / "policy" / "native.cedar").write_text("")
    kernel = opened(root=root)
    with pytest.raises(Denied, match="may not run"):
        kernel.call("acme/inside:run", {})
    plan = kernel.plan()
    assert [finding.id for finding in plan.blocking] == ["native.denied"]
    with pytest.raises(PlanBlocked):
        kernel.apply(plan, consent=True)


def test_what_runs_is_what_was_admitted(unit, opened):
    folder = unit(GREET)
    kernel = opened(folder)
    (folder / "src" / "unit.py").write_text("raise SystemExit")
    (folder / "unit.native.json").write_text("{}")
    assert kernel.call("acme/inside:run", {}) == "hello"


def test_native_code_is_not_put_on_trial_and_does_not_run_where_it_is_asked_for(unit, opened, tmp_path):
    mark = tmp_path / "mark"
    more = '[[test]]\naction = "run"\ninput = {}\nexpect = "hello"\n'
    kernel = opened(unit(GREET, more))
    body = f"open({str(mark)!r}, 'w').close()" + GREET
    second = kernel.install(str(unit(body, more, version="1.1.0")), allow_unsigned=True)
    plan = kernel.plan(trial=[second])
    assert [finding.id for finding in plan.blocking] == ["trial.kind"]
    assert not mark.exists()
