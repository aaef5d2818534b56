"""The command tree, its help, and how errors and exit codes look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from remit import __version__
from remit.cli import root
from remit.cli.verbs import GROUPS, TOP

PROMISED = {
    "init", "demo", "call", "list", "emit", "events", "state", "serve", "doctor", "unit inspect", "egress preview",
    "egress list", "unit new", "unit test", "unit dev", "unit bench", "document diff", "document blame",
    "trace", "logs",
    "unit check", "unit build", "unit install", "unit uninstall", "unit plan", "unit apply", "unit revert",
    "unit promote", "unit pin", "unit refresh", "unit gc", "unit list", "unit sync", "unit upgrade",
    "unit show", "unit history", "unit diff",
    "lease list", "lease show", "lease request", "lease approve", "lease deny", "lease renew", "lease revoke",
    "lease why", "policy check", "policy lint", "policy fmt", "policy validate", "policy test", "policy explain",
    "policy diff", "policy what-if", "policy shadow", "policy publish", "policy rollback", "policy history",
    "policy authorize", "policy posture", "journal verify", "journal archive", "journal backup", "journal restore",
    "journal upgrade",
    "journal tail",
    "plugin list", "plugin new", "plugin enable", "plugin disable",
    "cache list", "cache clear", "document show",
    "unit pack", "unit publish", "unit search", "unit info", "unit sign", "unit verify",
    "trust init", "trust show", "trust serve", "trust import", "trust rotate", "trust retire", "trust verify-bundle",
    "mcp serve", "mcp pin",
    "registry export", "registry serve", "registry check", "registry yank", "registry log",
}  # fmt: skip


def commands() -> dict[str, click.Command]:
    """Every command by its words, as click knows them."""
    found: dict[str, click.Command] = {}
    context = click.Context(root, **root.context_settings)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = click.Context(command, parent=context)
            for sub in command.list_commands(inner):
                loaded = command.get_command(inner, sub)
                assert loaded is not None
                found[f"{name} {sub}"] = loaded
        else:
            found[name] = command
    return found


def test_the_verbs_are_exactly_those_that_were_promised():
    assert set(commands()) == PROMISED


@pytest.mark.parametrize("words", sorted(PROMISED))
def test_every_verb_takes_home_and_json_and_helps_with_an_example(remit, words):
    text = remit(*words.split(), "--help").stdout
    assert "--home DIR" in text
    assert "--json" in text
    assert f"  remit {words}" in text.partition("Example:")[2]


@pytest.mark.usefixtures("echo")
def test_the_home_may_be_named_before_the_command_and_who_names_it_last_is_heard(remit, home, tmp_path, monkeypatch):
    def actions(*words):
        return json.loads(remit(*words, "--json").stdout)["actions"]

    other = tmp_path / "other"
    remit("--home", other, "init")
    assert (other / "remit.toml").is_file()
    assert actions("list")
    assert actions("--home", other, "list") == []
    assert actions("--home", other, "list", "--home", home)
    assert os.environ["REMIT_HOME"] == str(home)
    monkeypatch.delenv("REMIT_HOME")
    assert actions("--home", home, "list")
    assert "REMIT_HOME" not in os.environ
    assert "--home DIR" in remit("--help").stdout


def test_a_plugins_command_hears_of_a_home_that_is_named_before_it(remit, monkeypatch):
    heard = []

    @click.command("where")
    @click.option("--home", envvar="REMIT_HOME")
    def where(home):
        heard.append(home)

    monkeypatch.setattr(root, "more", {"where": where}.get)
    remit("--home", "there", "where")
    remit("--home", "there", "where", "--home", "here")
    assert heard == ["there", "here"]


def test_the_lines_of_the_table_are_the_first_lines_of_the_commands_own_help():
    for verbs in [TOP, *(verbs for _, verbs in GROUPS.values())]:
        for verb in verbs.values():
            command = getattr(import_module(f"remit.cli.commands.{verb.module}"), verb.attribute)
            assert command.help.splitlines()[0] == verb.line


def test_help_loads_nothing_heavy():
    heavy = "wasmtime cedarpy jsonschema jsonschema_rs sigstore rich apsw remit.host"
    probe = (
        "import sys; from remit.cli import root; root.run(['--help']); root.run(['unit', '--help']); "
        f"print('LOADED', sorted(set('{heavy}'.split()) & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "LOADED []" in out


@pytest.mark.parametrize(
    "words",
    [
        "fly", "unit fly", "call", "call a/b:c --loud", "events --last none", "unit plan -x", "emit",
        "call a/b:c null --deadline soon", "journal tail --last 0",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("home")
def test_a_wrong_word_exits_with_64_and_one_line_that_names_the_help(remit, words):
    result = remit(*words.split(), code=64)
    assert result.stdout == ""
    assert result.stderr.startswith("error[RM-1000]: ")
    assert result.stderr.count("\n") == 1
    assert "--help'" in result.stderr


def test_no_words_at_all_show_the_help(remit):
    assert "Commands:" in remit(code=64).stderr


def test_a_folder_that_is_no_home_is_named_with_its_code_and_a_remedy(remit, tmp_path):
    for words in (["unit", "list"], ["journal", "verify"], ["policy", "check"], ["call", "a/b:c"], ["journal", "tail"]):
        result = remit(*words, "--home", tmp_path / "none", code=1)
        assert result.stderr.startswith("error[RM-1101]: ")
        assert "remit init" in result.stderr


def test_under_json_an_error_is_a_document_too(remit, tmp_path):
    result = remit("unit", "list", "--home", tmp_path / "none", "--json", code=1)
    assert json.loads(result.stdout)["error"]["code"] == "RM-1101"
    assert result.stderr.startswith("error[RM-1101]")


def test_a_fault_of_ours_is_one_line_and_a_traceback_only_on_request(remit, monkeypatch, tmp_path):
    def broken(*_arguments):
        raise KeyError("\x1b[31mboom")

    monkeypatch.setattr("remit.host.verify_journal", broken)
    result = remit("journal", "verify", "--home", tmp_path, code=1)
    assert "KeyError" in result.stderr
    assert "REMIT_DEBUG=1" in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    monkeypatch.setenv("REMIT_DEBUG", "1")
    assert "Traceback" in remit("journal", "verify", "--home", tmp_path, code=1).stderr


@pytest.mark.usefixtures("echo")
def test_a_reader_that_goes_away_is_no_error_message(processes):
    process = processes.start("events", "--last", "100", "--json", PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(60)
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stdout = None


@pytest.mark.usefixtures("home")
def test_a_home_is_named_by_option_before_the_environment(remit, tmp_path):
    other = tmp_path / "other"
    remit("init", other)
    listed = json.loads(remit("journal", "tail", "--json", "--home", other).stdout.splitlines()[0])
    mine = json.loads(remit("journal", "tail", "--json").stdout.splitlines()[0])
    assert listed["event"]["source"] != mine["event"]["source"]


def test_version_is_the_packages(remit):
    assert remit("--version").stdout == f"remit, version {__version__}\n"


def test_init_makes_a_home_once(remit, tmp_path: Path):
    text = remit("init", tmp_path / "new").stdout
    assert "remit unit install" in text
    assert (tmp_path / "new" / "remit.toml").is_file()
    assert remit("init", tmp_path / "new", code=1).stderr.startswith("error[RM-1102]")
    assert set(json.loads(remit("init", tmp_path / "second", "--json").stdout)) == {"id", "root"}


def test_wrong_words_are_a_document_too_for_a_program(remit):
    done = remit("events", "--json", "--last", "many", code=64)
    assert json.loads(done.stdout)["error"]["code"] == "RM-1000"
    assert "error[RM-1000]" in done.stderr


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "remit", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"remit, version {__version__}\n"
