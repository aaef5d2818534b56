"""Operators in processes of their own change one home at once: what came of it is one line of generations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.host import Kernel, init, verify_journal
from remit.journal import digest_of, encode_json
from tests.units.test_lifecycle_stateful import BASE, merged

OPERATORS = 3
SCRIPTS = 12 if (soak := int(os.environ.get("REMIT_SOAK", "1"))) == 1 else 170 * soak
UNITS = ("acme/a", "acme/b", "acme/c", "acme/tool")
PATCH = {
    "acme/a": {"1.0.0": {"p": 1}, "1.1.0": {"p": 2, "q": {"r": 1}}},
    "acme/b": {"1.0.0": {"q": {"s": 2}}, "1.1.0": {"q": "over"}},
    "acme/c": {"1.0.0": {"guards": {"c": True}}, "1.1.0": {"guards": {"c": False}, "p": "last"}},
}

steps = st.one_of(
    st.builds(lambda units: {"add": units}, st.lists(st.sampled_from(UNITS), min_size=1, max_size=2, unique=True)),
    st.builds(
        lambda unit, version: {"add": [f"{unit}@={version}"]},
        st.sampled_from(UNITS[:3]),
        st.sampled_from(["1.0.0", "1.1.0"]),
    ),
    st.builds(lambda unit: {"remove": [unit]}, st.sampled_from(UNITS)),
    st.builds(lambda unit: {"pin": {unit: "="}}, st.sampled_from(UNITS)),
    st.builds(lambda unit: {"pin": {unit: ""}}, st.sampled_from(UNITS)),
    st.builds(lambda target: {"revert": target}, st.sampled_from(["last", "0", "1", *UNITS])),
)
scripts = st.lists(st.lists(steps, min_size=1, max_size=5), min_size=OPERATORS, max_size=OPERATORS)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, echo: bytes) -> Path:
    """A home in which everything is installed and nothing is active."""
    folder = tmp_path_factory.mktemp("operators")
    init(folder / "home")
    with Kernel.open(folder / "home", serve=False) as kernel:
        for name, versions in PATCH.items():
            for version, patch in versions.items():
                kernel.install(str(config(folder, name, version, patch)), allow_unsigned=True)
        kernel.install(str(tool(folder, echo)), allow_unsigned=True)
    return folder / "home"


def head(name: str, version: str, kind: str) -> str:
    return f'schema = "unit/v1"\nid = "{name}"\nversion = "{version}"\nkind = "{kind}"\ntitle = "t"\nlicense = "MIT"\n'


def config(folder: Path, name: str, version: str, patch: dict[str, Any]) -> Path:
    target = folder / f"{name.partition('/')[2]}-{version}"
    target.mkdir()
    (target / "unit.toml").write_text(
        head(name, version, "config")
        + f'[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = {json_to_toml(patch)}\n'
    )
    return target


def json_to_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json_to_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def tool(folder: Path, echo: bytes) -> Path:
    target = folder / "tool"
    target.mkdir()
    (target / "echo.wasm").write_bytes(echo)
    (target / "unit.toml").write_text(
        head("acme/tool", "1.0.0", "tool")
        + '[runtime]\nartifact = "echo.wasm"\nmemory = "8MiB"\ndeadline = "10s"\n[[action]]\nname = "echo"\n'
        '[[capability]]\naction = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "r"\n'
    )
    return target


@pytest.fixture(scope="module")
def operators() -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.units.operator_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(OPERATORS)
    ]
    yield started
    for one in started:
        one.communicate()


def at_once(
    operators: list[subprocess.Popen[str]], home: Path, work: list[list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    for one, script in zip(operators, work, strict=True):
        assert one.stdin is not None
        one.stdin.write(json.dumps({"home": str(home), "script": script}) + "\n")
        one.stdin.flush()
    return [done for one in operators for done in json.loads(one.stdout.readline())]  # type: ignore[union-attr]


def check(home: Path, done: list[dict[str, Any]]) -> None:
    """Everything that operators were told is true, and the home is what its last generation says."""
    with Kernel.open(home, serve=False) as kernel:
        history = kernel.history()
        active = history[-1]
        assert [one.number for one in history] == list(range(len(history)))
        for before, after in pairwise(history):
            assert after.parent == before.digest
        told = {one["number"]: one["digest"] for one in done if "number" in one}
        assert len(told) == sum("number" in one for one in done), "two operators were given one generation"
        assert told == {one.number: digest_of(encode_json(one.units)) for one in history[1:]}
        expected: Any = BASE
        for unit in active.units:
            if unit.ref.id in PATCH:
                expected = merged(expected, PATCH[unit.ref.id][unit.ref.version])
        assert encode_json(kernel.document("assistant")) == encode_json(expected)
        wanted = tomlkit.parse((home / "remit.toml").read_text()).unwrap().get("unit", [])
        assert [(entry["id"], entry.get("pin", "")) for entry in wanted] == [(u.ref.id, u.pin) for u in active.units]
        plan = kernel.plan()
        assert not plan.changed
        standing = {(lease.unit, lease.action) for lease in kernel.leases() if lease.state == "standing"}
        assert standing == {(a.unit, a.action) for a in plan.capabilities if a.status in {"kept", "granted"}}
        assert standing == {(u.ref.id, "net:http") for u in active.units if u.ref.id == "acme/tool"}
        there_and_back(kernel, len(history) - 1)
    verify_journal(home)


def there_and_back(kernel: Kernel, number: int) -> None:
    before = kernel.history()[-1]
    for target in (max(0, number - 1), number):
        plan = kernel.plan(revert=str(target))
        kernel.apply(plan, consent=True)
    after = kernel.history()[-1]
    assert encode_json([after.units, after.documents]) == encode_json([before.units, before.documents])
    assert [grant.capability for grant in after.grants] == [grant.capability for grant in before.grants]


def test_operators_at_once_make_one_line_of_generations(
    template: Path, operators: list[subprocess.Popen[str]], tmp_path: Path, record_property: Any
) -> None:
    record_property("scripts of concurrent operators", SCRIPTS * OPERATORS)
    numbers = iter(range(1 << 30))

    @settings(max_examples=SCRIPTS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(scripts)
    def run(work: list[list[dict[str, Any]]]) -> None:
        home = Path(shutil.copytree(template, tmp_path / f"home-{next(numbers)}"))
        check(home, at_once(operators, home, work))
        shutil.rmtree(home)

    run()
