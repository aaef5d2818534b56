"""Packing, publishing, finding and withdrawing units from the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def served(tmp_path):
    """``remit registry serve`` as a process: its reference and its folder."""
    data = tmp_path / "registry"
    words = [str(Path(sys.executable).with_name("remit")), "registry", "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, text=True) as process:
        address = json.loads(process.stdout.readline())["address"]
        yield address.replace("http://", "oci://"), data
        process.send_signal(signal.SIGINT)


@pytest.fixture
def domain(remit, tmp_path):
    """A trust domain, as the options that sign in it."""
    remit("trust", "init", tmp_path / "domain", "--name", "trust.example.com", "--home", tmp_path)
    return "--domain", tmp_path / "domain", "--identity", "ann@example.com"


@pytest.mark.usefixtures("home")
def test_from_a_folder_to_another_home(remit, served, unit, domain, tmp_path):
    registry, data = served
    folder = unit("echo")
    packed = json.loads(remit("unit", "pack", folder, "-o", tmp_path / "echo.unit", "--json").stdout)
    sent = json.loads(remit("unit", "publish", registry, folder, "--json").stdout)
    remit("unit", "install", sent["reference"], "--allow-unsigned", code=3)
    again = json.loads(remit("unit", "publish", registry, tmp_path / "echo.unit", *domain, "--json").stdout)
    assert (sent["digest"], sent["fresh"], again["fresh"]) == (packed["digest"], True, False)
    assert (sent["signed"], again["signed"]) == (False, True)

    name = sent["id"]
    found = json.loads(remit("unit", "search", registry, name.split("/")[1], "--json").stdout)["units"]
    assert [offer["id"] for offer in found] == [name]
    info = json.loads(remit("unit", "info", registry, name, "--json").stdout)
    assert [release["digest"] for release in info["releases"]] == [packed["digest"]]

    assert "error[RM-2284]" in remit("unit", "install", sent["reference"], code=1).stderr
    remit("trust", "import", domain[1])
    [installed] = json.loads(remit("unit", "install", sent["reference"], "--json").stdout)["installed"]
    assert (installed["ref"]["digest"], installed["ref"]["admission"]) == (packed["digest"], "signed")
    assert installed["signer"].startswith("ann@example.com")

    remit("registry", "check", "--data", data)
    remit("registry", "yank", f"{name}@{sent['version']}", "--data", data, "--reason", "no good")
    log = json.loads(remit("registry", "log", "--data", data, "--json").stdout)["entries"]
    assert [entry["kind"] for entry in log] == ["published", "yanked"]
    assert "No unit matches" in remit("unit", "search", registry).stdout
    refused = remit("unit", "install", f"{registry}/{name}@*", code=3)
    assert "error[RM-2116]" in refused.stderr


def test_inside_a_home_its_policy_decides_what_is_published(remit, served, unit, home):
    registry, data = served
    (home / "policy").mkdir(exist_ok=True)
    (home / "policy" / "site.cedar").write_text(
        '@id("site.no-publishing") @why("not from this machine")\n'
        'forbid (principal, action == Remit::Action::"unit:publish", resource);'
    )
    refused = remit("unit", "publish", registry, unit("echo"), code=3)
    assert "site.no-publishing" in refused.stderr
    assert json.loads(remit("registry", "log", "--data", data, "--json").stdout)["entries"] == []


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["registry", "yank", "acme/redact"], 64, "RM-1000"),
        (["registry", "log", "--data", "nowhere"], 64, "RM-1000"),
        (["registry", "serve", "--host", "0.0.0.0"], 64, "RM-1000"),
        (["registry", "serve", "--users", "nowhere.toml"], 1, "RM-1110"),
        (["unit", "publish", "http://host", "."], 1, "RM-2106"),
        (["unit", "publish", "oci://127.0.0.1:1", "nowhere"], 1, "RM-2004"),
        (["unit", "search", "oci://127.0.0.1:1"], 1, "RM-2101"),
    ],
)
def test_what_cannot_be_done_says_why(remit, tmp_path, monkeypatch, words, code, error):
    monkeypatch.chdir(tmp_path)
    assert f"error[{error}]" in remit(*words, code=code).stderr
    assert list(tmp_path.iterdir()) == []
