"""A unit's own tests at plan time: what fails keeps the unit out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from remit.errors import PlanBlocked
from remit.host import Kernel
from remit.kernel.model import GuestOutcome, UnitRef
from remit.units.manifest import parse
from remit.units.planning.goldens import Rehearsals

Install = Callable[[Path], str]

GOOD = '[[test]]\naction = "echo"\ninput = { a = 1 }\nexpect = { a = 1 }'
BAD = '[[test]]\naction = "echo"\ninput = { a = 1 }\nexpect = { a = 2 }'
HEAD = """schema = "unit/v1"
id = "acme/tool"
version = "1.0.0"
kind = "tool"
title = "t"
license = "MIT"
[runtime]
artifact = "a.wasm"
[[action]]
name = "echo"
"""
HTTP = 'action = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "look up"'


def test_a_unit_whose_tests_pass_has_no_finding(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", more=GOOD))
    assert kernel.plan(add=["acme/tool"]).findings == ()


def test_a_unit_whose_tests_fail_is_kept_out(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", more=f"{GOOD}\n{BAD}"))
    plan = kernel.plan(add=["acme/tool"])
    [finding] = plan.blocking
    assert finding.id == "tests.failed"
    assert '1 of its own 2 tests fail: echo: answered {"a":1}, expected {"a":2}' in finding.message
    with pytest.raises(PlanBlocked):
        kernel.apply(plan)


def test_a_test_that_may_lack_a_capability_only_warns(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP, more=BAD))
    [finding] = kernel.plan(add=["acme/tool"]).findings
    assert (finding.severity, finding.id) == ("warning", "tests.failed")


@pytest.mark.parametrize(("choice", "found"), [("warn", ["warning"]), ("off", [])])
def test_the_operator_may_soften_it(kernel: Kernel, home: Path, author, install: Install, choice, found) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write(f'\n[plan]\ntests = "{choice}"\n')
    install(author.tool("acme/tool", more=BAD))
    assert [finding.severity for finding in kernel.plan(add=["acme/tool"]).findings] == found


def test_a_stateful_unit_rehearses_on_empty_state_and_leaves_none(kernel: Kernel, unit) -> None:
    kernel.install(str(unit("counter")), allow_unsigned=True)
    head = kernel.home().head
    assert not kernel.plan(add=["acme/counter"]).blocking
    assert kernel.home().head == head


def test_each_test_finds_the_state_that_those_before_it_left(kernel: Kernel, unit, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(unit("counter"), tmp_path / "counter"))
    counts = "".join(f'[[test]]\naction = "increment"\ninput = {{}}\nexpect = {{ count = {n} }}\n' for n in (1, 2, 3))
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().partition("[[test]]")[0] + counts)
    kernel.install(str(folder), allow_unsigned=True)
    assert kernel.plan(add=["acme/counter"]).findings == ()
    kernel.apply(kernel.plan(add=["acme/counter"]), consent=True)
    assert kernel.call("acme/counter:read", {}) == {"count": 0}


def test_a_bundle_is_rehearsed_once() -> None:
    calls = []
    manifest = parse(f"{HEAD}{BAD}\n".encode())

    class Program:
        unit = UnitRef("acme/tool", "1.0.0", "sha256:1", "tool", "local")

    rehearsals = Rehearsals(lambda *_: lambda *given: calls.append(given) or GuestOutcome("ok", '{"a":1}'))
    found = [rehearsals.findings(manifest, Program(), "block") for _ in range(2)]
    assert len(calls) == 1
    assert found[0] == found[1] != []


@pytest.mark.parametrize("answer", [GuestOutcome("failed", "no"), GuestOutcome("ok", "{"), GuestOutcome("ok", "true")])
def test_any_other_answer_is_a_failure(answer: GuestOutcome) -> None:
    text = f'{HEAD}[[test]]\naction = "echo"\ninput = 1\nexpect = 1\n'

    class Program:
        unit = UnitRef("acme/tool", "1.0.0", "sha256:1", "tool", "local")

    [finding] = Rehearsals(lambda *_: lambda *_: answer).findings(parse(text.encode()), Program(), "block")
    assert finding.severity == "blocking"
