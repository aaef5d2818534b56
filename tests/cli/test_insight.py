"""`trace`, `logs` and `state --watch`: what a person sees of what ran."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import make_tool


@pytest.fixture(autouse=True)
def _flooded(home, remit, tmp_path):  # noqa: ARG001 - the home is where commands work
    """A home whose unit logs and whose other unit traps."""
    folders = [make_tool(tmp_path, name, like=like) for name, like in (("flood", "flood"), ("broken", "trap"))]
    for folder in folders:
        remit("unit", "install", str(folder), "--allow-unsigned")
    remit("unit", "apply", "acme/flood", "acme/broken", "--yes")


def test_a_failed_call_is_drawn_with_its_reason(remit):
    remit("call", "acme/broken:trap", code=1)
    drawn = remit("trace").output
    assert "✗ acme/broken:trap" in drawn
    assert "1 spans" in drawn
    assert all(len(line) <= 80 for line in drawn.splitlines()[1:])


def test_a_trace_as_json_has_its_spans(remit):
    remit("call", "acme/broken:trap", code=1)
    trace = json.loads(remit("trace", "last", "--json").output)
    assert [span["status"] for span in trace["spans"]] == ["error"]


def test_an_unknown_episode_is_refused_with_a_code(remit):
    result = remit("trace", "nobody", code=1)
    assert "error[RM-3020]" in result.stderr


def test_logs_show_what_failed_with_its_code(remit):
    remit("call", "acme/broken:trap", code=1)
    [line] = [json.loads(line) for line in remit("logs", "--level", "error", "--json").output.splitlines()]
    assert (line["unit"], line["level"]) == ("acme/broken", "error")
    assert line["code"].startswith("RM-50")


@pytest.mark.parametrize("arguments", [("--after", "0"), ("--last", "10000")])
def test_logs_of_one_unit_are_only_its_own(remit, arguments):
    remit("call", "acme/broken:trap", code=1)
    assert remit("logs", "--unit", "acme/flood", *arguments).output == ""
    assert "acme/broken" in remit("logs", "--unit", "acme/broken", *arguments).output


@pytest.mark.parametrize(
    "words",
    [("logs", "--last", "1", "--after", "1"), ("state", "--watch"), ("state", "health", "--watch", "--at", "1")],
)
def test_what_cannot_go_together_is_a_usage_error(remit, words):
    assert "error[RM-" in remit(*words, code=64).stderr


def test_a_watched_model_goes_on_with_what_changed(remit, processes):
    watching = processes.start("state", "actions", "--watch", "--json")
    first = json.loads(watching.stdout.readline())
    assert [operation["op"] for operation in first["patch"]] == ["replace"]
    remit("call", "acme/broken:trap", code=1)
    change = json.loads(watching.stdout.readline())
    assert change["seq"] > first["seq"]
    assert "acme/broken:trap" in json.dumps(change["patch"])


def test_logs_follow_what_happens(remit, processes):
    following = processes.start("logs", "--follow", "--json", "--after", "0", "--unit", "acme/broken")
    remit("call", "acme/broken:trap", code=1)
    assert json.loads(following.stdout.readline())["unit"] == "acme/broken"
