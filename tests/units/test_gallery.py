"""The useful units under ``units/``: each builds from its source and passes its own tests, here as for its author."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.host import check_unit, try_unit

UNITS = Path(__file__).parents[2] / "units"
USEFUL = {
    "anomaly": "npm",
    "budget-gate": "npm",
    "once": "",
    "prompt-guard": "",
    "redact": "python",
    "rerank": "npm",
    "table": "npm",
    "webhook": "npm",
}
"""By name: what its build needs that may be missing or slow."""


@pytest.mark.parametrize(
    ("name", "needs"),
    [pytest.param(name, needs, marks=pytest.mark.slow if needs else ()) for name, needs in USEFUL.items()],
)
def test_a_unit_of_the_gallery_passes_its_own_tests(name, needs, program):
    if needs == "npm":
        program(needs)
    tried = try_unit(UNITS / name)
    assert tried.passed, (tried.goldens, tried.output)
    ran = [golden.action for golden in tried.goldens]
    assert ran or name == "webhook"  # which has nobody to tell in a test
    assert (tried.pytest, tried.node) == ((None, 0) if needs == "npm" else (0, None))


@pytest.mark.parametrize("name", USEFUL)
def test_a_unit_of_the_gallery_asks_for_no_more_than_its_readme_says(name):
    manifest, faults = check_unit(UNITS / name)
    assert faults == []
    readme = (UNITS / name / "README.md").read_text("utf-8")
    for capability in manifest.capabilities:
        assert capability.resource in readme
        assert capability.reason
    for declared in manifest.actions:
        assert declared.name in readme


@pytest.mark.slow
def test_the_anomaly_counter_reacts_in_its_sandbox(remit_unit, program):
    program("npm")
    kernel = remit_unit(UNITS / "anomaly")
    head = kernel.home().head
    for _ in range(7):
        kernel.emit("service.logged", {"service": "shop", "level": "error"})
    told = next(kernel.follow(head, prefixes=["service.anomalous"]))
    assert told["event"]["data"] == {"service": "shop", "count": 5, "usual": 0, "limit": 5}
