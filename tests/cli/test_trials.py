"""Trials on the command line: what they are given, what they show, and what they refuse."""

from __future__ import annotations

import json
import shutil

import pytest

COUNTER = "acme/counter"


@pytest.fixture
def counting(home, remit, units, tmp_path):
    """A home where the counter is active, and its next version is installed."""
    following = tmp_path / "following"
    shutil.copytree(units / "counter", following)
    manifest = following / "unit.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    remit("unit", "install", units / "counter", "--allow-unsigned")
    remit("unit", "apply", COUNTER, "--yes")
    remit("unit", "install", following, "--allow-unsigned")
    return home


def trials(remit) -> list[str]:
    """What is on trial."""
    return json.loads(remit("unit", "history", "--json").stdout)["generations"][-1]["trials"]


@pytest.mark.usefixtures("counting")
def test_the_plans_last_line_is_the_command_that_begins_the_same_trial(remit):
    options = ("--share", "12.5%", "--namespace", "lab", "--calls", "7", "--max-errors", "1%", "--slower", "400%")
    shown = remit("unit", "plan", COUNTER, "--trial", *options, code=2).stdout
    assert "1.1.0 beside 1.0.0" in shown
    words = shown.strip().splitlines()
    line = " ".join(words[next(i for i, text in enumerate(words) if text.startswith("Next: ")) :])
    remit(*line.removeprefix("Next: remit ").split())
    [one] = json.loads(remit("state", "experiments", "--json").stdout)
    assert one["terms"] == {
        "share": 1_250, "principal": "", "namespace": "lab", "episode": "", "calls": 7, "errors": 100, "slower": 40_000
    }  # fmt: skip


@pytest.mark.usefixtures("counting")
def test_a_trial_is_seen_where_units_are_looked_at(remit):
    remit("unit", "apply", COUNTER, "--trial", "--share", "100%")
    remit("call", "acme/counter:increment")
    assert trials(remit) == ["acme/counter@1.1.0"]
    assert "on trial" in remit("unit", "list").stdout
    assert "not yet: it has not had 50 calls yet" in remit("unit", "show", COUNTER).stdout
    assert "100% of the calls" in remit("unit", "show", "2").stdout


@pytest.mark.usefixtures("counting")
def test_a_promotion_without_evidence_exits_with_1_and_says_how_to_insist(remit):
    remit("unit", "apply", COUNTER, "--trial", "--share", "100%")
    refused = remit("unit", "promote", COUNTER, code=1)
    assert "--override" in refused.stdout
    assert "RM-6003" in refused.stderr
    shown = remit("unit", "promote", COUNTER, "--override", "it is urgent", "--keep-state").stdout
    assert "overridden: it is urgent" in " ".join(shown.split())
    assert trials(remit) == []
    assert "RM-6013" in remit("unit", "promote", COUNTER, code=1).stderr


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    "words",
    [
        ("apply", COUNTER, "--trial"),
        ("apply", COUNTER, "--share", "10%"),
        ("apply", COUNTER, "--trial", "--share", "0%"),
        ("apply", COUNTER, "--trial", "--share", "10"),
        ("apply", "--trial", "--share", "10%"),
        ("apply", COUNTER, "--trial", "--share", "10%", "--set", "acme/counter.a=1"),
        ("plan", COUNTER, "--trial", "--share", "10%", "--", "-acme/counter"),
        ("promote", COUNTER, "--slot", "guard", "--keep-state"),
        ("promote", COUNTER, "--override", " "),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_changes(remit, words):
    assert "error[RM-1000]" in remit("unit", *words, code=None).stderr
    assert trials(remit) == []
