"""A new author's way, by the documents, in each language: made, tested, built, signed, published, installed, called.

The unit has two actions, a reaction, state, and one request to a server.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remit.errors import BuildFailed
from remit.host import Kernel
from remit.testing import FakeHttp
from remit.units.toolchains.rust import rust_version

DESKS = Path(__file__).parent / "desks"
MORE = """
[[action]]
name = "who"

[[action]]
name = "look"

[[on]]
topic = "person.left"
qos   = "realtime"

[[capability]]
action   = "net:http"
resource = "https://page.example"
methods  = ["GET"]
reason   = "look at the page"

[[test]]
action = "who"
input  = {}
expect = "nobody"
"""
NATIVE = """
@id("native.acme")
@why("we know acme")
permit (principal in Remit::Publisher::"acme", action == Remit::Action::"unit:native", resource);
"""


@pytest.fixture
def registry(tmp_path):
    """``remit registry serve`` as a process; its reference."""
    words = [str(Path(sys.executable).with_name("remit")), "registry", "serve", "--port", "0", "--data"]
    with subprocess.Popen([*words, str(tmp_path / "registry"), "--json"], stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())["address"].replace("http://", "oci://")
        process.send_signal(signal.SIGINT)


@pytest.fixture
def desk(remit, tmp_path, program):
    """Makes the unit in a language: as ``remit unit new`` does, with the author's own source and manifest."""

    def make(language, *words):
        if language == "ts":
            program("npm")
        if language == "rust":
            program("rustc")
            try:
                rust_version()
            except BuildFailed as error:
                pytest.skip(error.message)
        base = "c" if language == "rust" else language  # there is no template: the documents say what differs
        remit("unit", "new", "acme/desk", "--lang", base, *words, "--dir", tmp_path)
        folder = tmp_path / "desk"
        for leftover in ("schemas", "tests", "src"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
        source = {"python": "unit.py", "ts": "unit.ts", "c": "unit.c", "rust": "unit.rs", "wat": "desk.wat"}[language]
        target = folder / "desk.wat" if language == "wat" else folder / "src" / source
        target.parent.mkdir(exist_ok=True)
        shutil.copy(DESKS / source, target)
        manifest = folder / "unit.toml"
        text = manifest.read_text()
        if language == "rust":
            text = text.replace("zig-cc", "rustc").replace("unit.c", "unit.rs")
        manifest.write_text(text[: text.index("[[action]]")] + MORE)
        return folder

    return make


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("wat", ()),
        ("c", ()),
        ("python", ("--kind", "native")),
        pytest.param("ts", (), marks=pytest.mark.slow),
        pytest.param("rust", (), marks=pytest.mark.slow),
        pytest.param("python", (), marks=pytest.mark.slow),
    ],
)
def test_a_new_author_gets_a_unit_into_another_home(remit, desk, registry, tmp_path, language, words):
    folder, domain, home = desk(language, *words), tmp_path / "domain", tmp_path / "other"
    assert json.loads(remit("unit", "check", folder, "--json").stdout)["ok"]
    tried = json.loads(remit("unit", "test", folder, "--json").stdout)
    assert tried["passed"], tried
    built = json.loads(remit("unit", "build", folder, "--json").stdout)
    asked = {(one["action"], one["resource"]) for one in built["capabilities"]}
    assert asked == {("net:http", "https://page.example"), ("events:subscribe", "person.left")}

    remit("trust", "init", domain, "--name", "trust.example.com", "--home", tmp_path)
    signing = ("--domain", domain, "--identity", "ann@example.com")
    sent = json.loads(remit("unit", "publish", registry, folder, *signing, "--home", tmp_path, "--json").stdout)

    remit("init", home)
    if "native" in words:
        (home / "policy" / "native.cedar").write_text(NATIVE)
    issuer = ("--issuer", "https://oidc.trust.example.com")
    who = ("--publisher", "acme", "--identity", "ann@example.com", *issuer)
    remit("trust", "import", domain, "--home", home, *who)
    remit("unit", "install", sent["reference"], "--home", home)
    remit("unit", "apply", "acme/desk", "--yes", "--home", home)
    assert json.loads(remit("call", "acme/desk:who", "{}", "--home", home, "--json").stdout)["output"] == "nobody"

    web = FakeHttp({"GET https://page.example/a": "a page"})
    with Kernel.open(home, program="pytest", serve=False, plugins={"web": web}) as kernel:
        kernel.emit("person.left", "Ada")
        seen, subjects = 0, []
        while "acme/desk:on.person.left" not in subjects:
            for record in kernel.events(seen, wait_ms=1_000):
                seen = record["seq"]
                subjects.append(record["event"].get("subject"))
        assert kernel.call("acme/desk:look", {}) == {"page": "a page", "left": "Ada"}
