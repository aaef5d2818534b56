"""Events, read models, leases, policies, journal and cache from the command line; two processes at once."""

from __future__ import annotations

import json
import signal
import sqlite3

import pytest

from tests.cli.conftest import make_tool


@pytest.fixture
def sneaky(echo, remit, units):
    """A home in which acme/sneaky was denied twice."""
    remit("unit", "install", units / "sneaky", "--allow-unsigned")
    remit("unit", "apply", "acme/sneaky", "--yes")
    remit("call", "acme/sneaky:probe")
    return echo


def lines(result) -> list[dict]:
    """The JSON lines of a result."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("sneaky")
def test_a_denial_shows_the_policy_that_decided(remit):
    text = remit("events", "--prefix", "lease.denied").stdout
    assert "guard.undeclared" in text
    assert "/etc/passwd" in text


@pytest.mark.usefixtures("sneaky")
def test_events_page_by_number_and_prefix(remit):
    every = lines(remit("events", "--after", "0", "--json"))
    assert [record["seq"] for record in every] == list(range(1, len(every) + 1))
    assert set(every[0]) == {"seq", "generation", "namespace", "hash", "event"}
    some = lines(remit("events", "--after", "2", "--prefix", "unit.", "--prefix", "lease.", "--json"))
    assert some == [record for record in every[2:] if record["event"]["type"].startswith(("unit.", "lease."))]
    assert lines(remit("events", "--last", "2", "--json"))[-1]["event"]["type"] == "lease.denied"
    assert "exclude" in remit("events", "--after", "1", "--last", "1", code=64).stderr


@pytest.mark.usefixtures("sneaky")
def test_tail_shows_what_events_shows_without_a_kernel(remit):
    assert lines(remit("journal", "tail", "--last", "3", "--json")) == lines(remit("events", "--last", "3", "--json"))


@pytest.mark.usefixtures("home")
def test_emit_appends_an_event_and_refuses_the_kernels_topics(remit):
    record = json.loads(remit("emit", "ticket.created", '{"id": 7}', "--json").stdout)
    assert lines(remit("events", "--last", "1", "--json")) == [record]
    assert remit("emit", "lease.denied", "{}", code=3).stderr.startswith("error[RM-3007]")
    assert "RM-3008" in remit("emit", "No Topic", code=1).stderr
    assert "RM-1000" in remit("emit", "ticket.created", "{", code=64).stderr


@pytest.mark.usefixtures("sneaky")
def test_state_lists_models_and_shows_one_as_of_a_record(remit):
    names = json.loads(remit("state", "--json").stdout)["models"]
    assert names == remit("state").stdout.split()
    assert "leases" in names
    assert len(json.loads(remit("state", "generations").stdout)) == 3
    assert len(json.loads(remit("state", "generations", "--at", "1").stdout)) == 1
    assert "RM-6010" in remit("state", "none", code=1).stderr
    remit("state", "generations", "--at", "99999", code=64)
    remit("state", "--at", "1", code=64)


@pytest.mark.usefixtures("sneaky")
def test_a_grant_is_revoked_by_its_id_or_its_units(remit):
    grants = json.loads(remit("lease", "list", "--json").stdout)["leases"]
    assert {grant["unit"] for grant in grants} == {"acme/sneaky"}
    assert (
        grants[0]["resource"] in remit("lease", "list").stdout.replace("\n", "")
        or "standing" in remit("lease", "list").stdout
    )
    remit("lease", "revoke", grants[0]["id"], "--reason", "test")
    states = {grant["id"]: grant["state"] for grant in json.loads(remit("lease", "list", "--json").stdout)["leases"]}
    assert states == {grants[0]["id"]: "revoked", grants[1]["id"]: "standing"}
    remit("lease", "revoke", "acme/sneaky")
    assert "RM-4006" in remit("lease", "revoke", "acme/sneaky", code=1).stderr
    assert "RM-4006" in remit("lease", "revoke", "gnone", code=1).stderr


@pytest.mark.usefixtures("home")
def test_leases_of_an_empty_home_are_explained(remit):
    assert "No grant stands" in remit("lease", "list").stdout


def test_policies_that_do_not_parse_are_found_and_keep_the_home_closed(home, remit):
    assert "in order" in remit("policy", "check").stdout
    (home / "policy" / "mine.cedar").write_text("permit (principal, action, resource")
    assert "mine.cedar" in remit("policy", "check", code=1).stdout
    data = json.loads(remit("policy", "check", "--json", code=1).stdout)
    assert data["ok"] is False
    assert data["findings"][0]["file"].endswith("mine.cedar")
    assert "RM-4001" in remit("unit", "list", code=1).stderr


def test_verify_finds_a_changed_record(echo, remit):
    report = json.loads(remit("journal", "verify", "--json").stdout)
    assert set(report) == {"ok", "records", "payloads", "head"}
    with sqlite3.connect(echo / ".remit" / "journal.db") as database:
        database.execute(
            "UPDATE record SET event = CAST(replace(CAST(event AS TEXT), 'acme', 'evil') AS BLOB) WHERE seq = 3"
        )
    database.close()
    assert remit("journal", "verify", code=1).stderr.startswith("error[RM-300")


@pytest.mark.usefixtures("echo")
def test_the_cache_lists_and_clears_and_the_next_call_works(remit):
    assert len(json.loads(remit("cache", "list", "--json").stdout)["entries"]) == 1
    assert "kB" in remit("cache", "list").stdout
    assert json.loads(remit("cache", "clear", "--json").stdout) == {"removed": 1}
    assert "empty" in remit("cache", "list").stdout
    assert remit("call", "acme/echo:echo", "1").stdout == "1\n"


def test_one_process_follows_while_another_changes(echo, processes, wait_for):
    follower = processes.start("events", "--follow", "--prefix", "unit.", "--json", PYTHONUNBUFFERED="1")
    wait_for((echo / ".remit" / "kernel.sock").exists)
    assert processes.run("unit", "apply", "acme/tone", "-m", "beside")[0] == 0
    assert processes.run("unit", "revert")[0] == 0
    assert follower.stdout is not None
    seen = []
    for line in follower.stdout:
        seen.append(json.loads(line)["event"]["type"])
        if seen[-1] == "unit.reverted":
            break
    assert seen[-2:] == ["unit.applied", "unit.reverted"]
    follower.send_signal(signal.SIGINT)
    assert follower.wait(30) == 130
    code, out, _ = processes.run("journal", "verify")
    assert (code, "whole" in out) == (0, True)


@pytest.mark.usefixtures("sneaky")
def test_piped_output_has_no_escape_codes(processes):
    for words in (["unit", "list"], ["events"], ["unit", "plan", "acme/tone"], ["unit", "history"], ["lease", "list"]):
        code, out, err = processes.run(*words)
        assert code in {0, 2}
        assert "\x1b" not in out + err
        assert err == ""


@pytest.fixture
def letter(remit, home, wait_for):
    """The number of an event that ``acme/react`` rejected."""
    remit("unit", "install", make_tool(home.parent, "react", like="react"), "--allow-unsigned")
    remit("unit", "apply", "acme/react", "--yes")
    seq = json.loads(remit("emit", "job.made", '"reject"', "--json").stdout)["seq"]
    wait_for(lambda: json.loads(remit("events", "--dead", "--json").stdout)["letters"])
    return seq


def test_dead_letters_are_shown_with_the_reason_and_delivered_again(remit, letter):
    shown = remit("events", "--dead")
    assert "acme/react:job.made, 1 attempt: RM-7004" in shown.stdout
    assert "remit events --replay acme/react:job.made" in shown.stdout
    [found] = json.loads(remit("events", "--dead", "--json").stdout)["letters"]
    assert (found["seq"], found["code"], found["record"]["event"]["data"]) == (letter, "RM-7004", "reject")
    again = ("events", "--replay", "acme/react:job.made", "--only", letter, "--json")
    assert json.loads(remit(*again).stdout) == {"replayed": 1}
    assert json.loads(remit("events", "--replay", "acme/react:job.made", "--only", 1, "--json").stdout) == {
        "replayed": 0
    }


@pytest.mark.usefixtures("home")
def test_dead_letters_stand_alone_and_belong_to_somebody(remit):
    assert json.loads(remit("events", "--dead", "--json").stdout) == {"letters": []}
    assert "stand alone" in remit("events", "--dead", "--follow", code=64).stderr
    assert "--only goes with --replay" in remit("events", "--only", "3", code=64).stderr
    assert "RM-7020" in remit("events", "--replay", "nobody", code=1).stderr


@pytest.mark.usefixtures("home")
def test_a_timer_is_set_listed_and_cancelled(remit):
    weekly = ("emit", "report.due", '{"n": 1}', "--timer", "weekly", "--cron", "0 9 * * 1", "--zone", "Europe/Berlin")
    assert remit(*weekly).stdout.startswith("weekly: report.due at ")
    [timer] = json.loads(remit("state", "timers", "--json").stdout)
    assert (timer["name"], timer["data"], timer["cron"]) == ("weekly", {"n": 1}, "0 9 * * 1")
    made = json.loads(remit("emit", "report.due", "--timer", "soon", "--after", "1h", "--json").stdout)
    assert made["name"] == "soon"
    assert json.loads(remit("emit", "report.due", "--timer", "soon", "--cancel", "--json").stdout) == {
        "cancelled": "soon"
    }
    assert "RM-7022" in remit("emit", "report.due", "--timer", "soon", "--cancel", code=1).stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [
    "--after 5m", "--cancel", "--timer t", "--timer t --after 5m --cron *", "--timer t --cancel --after 5m",
    "--timer t --after soon",
])  # fmt: skip
def test_a_timer_needs_a_name_and_one_time(remit, words):
    assert "RM-1000" in remit("emit", "report.due", *words.split(), code=64).stderr


def test_a_home_is_backed_up_and_restored(echo, remit, tmp_path):
    made = json.loads(remit("journal", "backup", tmp_path / "home.backup", "--json").stdout)
    remit("journal", "restore", tmp_path / "home.backup", "--home", tmp_path / "again")
    listed = json.loads(remit("unit", "list", "--json", "--home", tmp_path / "again").stdout)
    assert [unit["ref"]["id"] for unit in listed["units"] if unit["active"]] == ["acme/echo"]
    assert (
        made["seq"] < json.loads(remit("journal", "verify", "--json", "--home", tmp_path / "again").stdout)["records"]
    )
    remit("journal", "restore", tmp_path / "home.backup", "--home", echo, code=1)


@pytest.fixture
def archived(sneaky, remit, monkeypatch):
    """A home whose first records, in stretches of ten, are archived."""
    for module in ("segments", "archiving"):
        monkeypatch.setattr(f"remit.journal.{module}.SEGMENT", 10)
    for number in range(30):
        remit("emit", "ticket.created", json.dumps({"n": number}))
    before = lines(remit("events", "--after", "0", "--json"))
    done = json.loads(remit("journal", "archive", "--keep", "5", "--json").stdout)
    assert done["records"] == done["last"] >= 30
    assert len(list((sneaky / ".remit" / "archive").iterdir())) == done["last"] // 10
    return before


def test_an_archived_home_is_as_it_was(archived, remit, tmp_path):
    assert lines(remit("events", "--after", "0", "--json"))[: len(archived)] == archived
    remit("journal", "verify")
    assert json.loads(remit("state", "generations", "--at", "9", "--json").stdout)
    assert remit("call", "acme/echo:echo", "7").stdout == "7\n"
    assert "archived 0 records" in remit("journal", "archive").stdout
    remit("unit", "gc")
    remit("journal", "backup", tmp_path / "home.backup")
    remit("journal", "restore", tmp_path / "home.backup", "--home", tmp_path / "again")
    again = lines(remit("events", "--after", "0", "--home", tmp_path / "again", "--json"))
    assert again[: len(archived)] == archived


def test_a_lost_archive_is_found(archived, sneaky, remit):
    assert archived
    (sneaky / ".remit" / "archive" / f"{11:012}.events").unlink()
    assert "row 11 " in remit("journal", "verify", code=1).stderr
