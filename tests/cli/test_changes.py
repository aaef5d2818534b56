"""Plan, apply and revert: exit codes, consent, saved plans, removals by a minus sign."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def installed(home, remit, units):
    """A home in which units are installed and nothing is active."""
    folders = [units / name for name in ("echo", "counter", "sneaky", "tone-1.0.0", "brief-1.0.0")]
    remit("unit", "install", *folders, "--allow-unsigned")
    return home


def active(remit) -> set[str]:
    """Ids of the active units."""
    return {unit["ref"]["id"] for unit in json.loads(remit("unit", "list", "--json").stdout)["units"] if unit["active"]}


@pytest.mark.usefixtures("installed")
def test_plan_exits_with_2_for_changes_0_for_none_and_1_for_errors(remit):
    remit("unit", "plan", code=0)
    remit("unit", "plan", "acme/tone", code=2)
    assert active(remit) == set()
    remit("unit", "apply", "acme/tone")
    assert "Nothing to do" in remit("unit", "plan", "acme/tone", code=0).stdout
    assert "blocking" in remit("unit", "plan", "acme/none", code=1).stdout
    assert "RM-6003" in remit("unit", "apply", "acme/none", code=1).stderr


@pytest.mark.usefixtures("installed")
def test_a_plus_sign_or_nothing_adds_and_a_minus_sign_removes(remit):
    remit("unit", "apply", "+acme/tone", "acme/brief")
    assert active(remit) == {"acme/tone", "acme/brief"}
    remit("unit", "apply", "-acme/tone", "-m", "less is more")
    assert active(remit) == {"acme/brief"}
    remit("unit", "apply", "acme/tone", "--", "-acme/brief")
    assert active(remit) == {"acme/tone"}
    last = json.loads(remit("unit", "history", "--json").stdout)["generations"]
    assert [row["message"] for row in last][2] == "less is more"


@pytest.mark.usefixtures("installed")
def test_the_plans_last_line_is_the_command_that_applies_it(remit):
    remit("unit", "apply", "acme/tone")
    line = remit("unit", "plan", "acme/brief", "-acme/tone", code=2).stdout.strip().splitlines()[-1]
    words = line.removeprefix("Next: remit ").split()
    remit(*words)
    assert active(remit) == {"acme/brief"}


@pytest.mark.usefixtures("installed")
def test_widening_without_a_terminal_or_yes_exits_with_3_and_changes_nothing(remit):
    result = remit("unit", "apply", "acme/sneaky", code=3)
    assert result.stderr.startswith("error[RM-4003]")
    assert "net:http on https://updates.example.com" in result.stdout
    assert active(remit) == set()
    document = json.loads(remit("unit", "apply", "acme/sneaky", "--json", code=3).stdout)
    assert document["error"]["details"]["widening"]
    remit("unit", "apply", "acme/sneaky", "--yes")
    assert active(remit) == {"acme/sneaky"}


@pytest.mark.parametrize(("answer", "code", "now"), [("y\n", 0, {"acme/sneaky"}), ("n\n", 3, set()), ("\n", 3, set())])
@pytest.mark.usefixtures("installed")
def test_a_person_at_a_terminal_is_asked(remit, monkeypatch, answer, code, now):
    monkeypatch.setattr("remit.cli.session.Session.interactive", True)
    result = remit("unit", "apply", "acme/sneaky", code=code, stdin=answer)
    assert "Do you consent" in result.stderr
    assert active(remit) == now


@pytest.mark.usefixtures("installed")
def test_a_change_that_widens_nothing_asks_nothing(remit, monkeypatch):
    monkeypatch.setattr("remit.cli.session.Session.interactive", True)
    assert "consent" not in remit("unit", "apply", "acme/tone", stdin="").stderr


@pytest.mark.usefixtures("installed")
def test_a_saved_plan_is_applied_as_it_is_and_refused_when_stale(remit, tmp_path):
    file = tmp_path / "change.json"
    remit("unit", "plan", "acme/tone", "-o", file, code=2)
    remit("unit", "apply", file)
    assert active(remit) == {"acme/tone"}
    assert "RM-6002" in remit("unit", "apply", file, code=1).stderr


@pytest.mark.usefixtures("installed")
def test_a_plan_file_that_was_changed_is_missing_or_is_not_one_is_refused(remit, tmp_path):
    file = tmp_path / "change.json"
    remit("unit", "plan", "acme/tone", "-o", file, code=2)
    for content in (file.read_text().replace("acme/tone", "acme/brief"), "{}", "", "[1", "\x00"):
        file.write_text(content)
        assert "RM-6004" in remit("unit", "apply", file, code=1).stderr
    assert "cannot be read" in remit("unit", "apply", tmp_path / "none.json", code=64).stderr
    assert "as it is" in remit("unit", "apply", file, "acme/tone", code=64).stderr
    assert active(remit) == set()


@pytest.mark.usefixtures("installed")
def test_a_plan_can_be_saved_only_where_there_is_a_folder(remit, tmp_path):
    result = remit("unit", "plan", "acme/tone", "-o", tmp_path / "none" / "x.json", code=1)
    assert result.stderr.startswith("error[RM-")
    assert "fault of remit" not in result.stderr


@pytest.mark.usefixtures("installed")
def test_plan_and_apply_as_json_have_stable_keys(remit):
    plan = json.loads(remit("unit", "plan", "acme/tone", "--json", code=2).stdout)
    assert set(plan) == {
        "format", "home", "serial", "config", "policy", "edits", "candidate", "units", "widening", "capabilities",
        "documents", "drift", "state", "trials", "findings", "changed", "digest", "needs_consent",
    }  # fmt: skip
    done = json.loads(remit("unit", "apply", "acme/tone", "--json").stdout)
    assert set(done) == {"changed", "plan", "generation"}
    assert done["plan"]["digest"] == plan["digest"]


@pytest.mark.usefixtures("installed")
def test_bare_revert_undoes_the_last_change_and_a_units_id_only_that_unit(remit):
    remit("unit", "apply", "acme/tone")
    remit("unit", "apply", "acme/brief")
    remit("unit", "revert", "acme/tone")
    assert active(remit) == {"acme/brief"}
    remit("unit", "revert")
    assert active(remit) == {"acme/tone", "acme/brief"}
    remit("unit", "revert", "1")
    assert active(remit) == {"acme/tone"}
    assert "RM-6005" in remit("unit", "revert", "99", code=1).stderr


@pytest.mark.usefixtures("home")
def test_there_is_nothing_to_revert_in_a_new_home(remit):
    assert "RM-6006" in remit("unit", "revert", code=1).stderr


@pytest.mark.usefixtures("installed")
def test_settings_are_json_for_a_units_parameter(remit):
    assert "RM-1000" in remit("unit", "plan", "acme/tone", "--set", "acme/tone.x", code=64).stderr
    assert "quote strings" in remit("unit", "plan", "acme/tone", "--set", "acme/tone.x=word", code=64).stderr


@pytest.mark.usefixtures("installed", "units")
def test_the_whole_house_on_one_street(remit):
    remit("unit", "apply", "acme/sneaky", "acme/tone", "--yes")
    assert "unsigned" in remit("unit", "list").stdout
    assert "unsigned" in remit("unit", "plan", "acme/brief", code=2).stdout
    assert "net:http" in remit("unit", "show", "acme/sneaky").stdout
    assert "RM-6001" in remit("unit", "show", "acme/none", code=1).stderr
    assert "/style" in remit("unit", "diff", "0", "1").stdout
    assert "acme/tone@1.0.0" in remit("unit", "diff").stdout
    assert "unsigned" in remit("unit", "history").stdout
    assert json.loads(remit("document", "show", "assistant").stdout)["style"] == {"tone": "warm"}
    before = json.loads(remit("document", "show", "assistant", "--generation", "0", "--json", code=None).stdout)
    assert before.get("error", {}).get("code") == "RM-6007" or "style" not in before["document"]
    assert "RM-6007" in remit("document", "show", "none", code=1).stderr
    assert "RM-6011" in remit("unit", "uninstall", "acme/tone", code=1).stderr
    remit("unit", "uninstall", "acme/brief@1.0.0")
    assert "acme/brief" not in remit("unit", "list").stdout


@pytest.mark.usefixtures("home")
def test_diff_of_a_home_with_one_generation_says_so(remit):
    assert "remit unit history" in remit("unit", "diff", code=64).stderr


@pytest.mark.usefixtures("home")
def test_an_unsigned_folder_is_refused_unless_allowed(remit, units):
    assert "--allow-unsigned" in remit("unit", "install", units / "echo", code=3).stderr
    assert "RM-2004" in remit("unit", "install", "no/such/folder", code=1).stderr


@pytest.mark.usefixtures("home")
def test_install_names_what_it_admitted(remit, units):
    data = json.loads(
        remit("unit", "install", units / "echo", units / "tone-1.0.0", "--allow-unsigned", "--json").stdout
    )
    assert [unit["ref"]["id"] for unit in data["installed"]] == ["acme/echo", "acme/tone"]
    assert "No unit is installed" not in remit("unit", "list").stdout


def test_a_relative_folder_is_found_by_a_kernel_elsewhere(home, units, processes, remit, wait_for, monkeypatch):
    processes.start("events", "--follow")
    wait_for((home / ".remit" / "kernel.sock").exists)
    monkeypatch.chdir(units)
    remit("unit", "install", "./echo", "--allow-unsigned")


def test_check_prints_every_fault_with_its_path(remit, units, tmp_path):
    assert "in order" in remit("unit", "check", units / "echo").stdout
    text = (units / "echo" / "unit.toml").read_text()
    (tmp_path / "unit.toml").write_text(text.replace('"1.0.0"', '"one"').replace("memory ", "memroy ") + "x = 1\n")
    result = remit("unit", "check", tmp_path, code=1)
    assert "version" in result.stdout
    assert "memroy" in result.stdout
    data = json.loads(remit("unit", "check", tmp_path, "--json", code=1).stdout)
    assert set(data) == {"ok", "unit", "version", "faults", "fixed"}
    assert len(data["faults"]) >= 2
    assert remit("unit", "check", tmp_path / "none", code=1).stderr.startswith("error[RM-2002]")


def test_build_says_where_the_artifact_is(remit, units):
    assert json.loads(remit("unit", "build", units / "echo", "--json").stdout)["artifact"].endswith("echo.wasm")
    assert "RM-2005" in remit("unit", "build", units / "tone-1.0.0", code=1).stderr


@pytest.mark.usefixtures("installed")
def test_a_document_says_who_set_what_and_what_changed(remit):
    remit("unit", "apply", "acme/tone")
    blamed = json.loads(remit("document", "blame", "assistant", "--json").stdout)["values"]
    tone = [one["path"] for one in blamed if one["unit"].startswith("acme/tone@")]
    assert tone
    changes = json.loads(remit("document", "diff", "assistant", "--json").stdout)["changes"]
    assert any(tone[0].startswith(change["path"]) for change in changes)
    assert tone[0] in remit("document", "blame", "assistant").stdout
    assert "no difference" in remit("document", "diff", "assistant", "1", "1").stdout
    assert "RM-6007" in remit("document", "blame", "nothing", code=1).stderr
