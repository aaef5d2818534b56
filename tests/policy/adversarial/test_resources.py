"""Hostile resources: one thing has one name, and a neighbour is another thing."""

from __future__ import annotations

import pytest

from remit.errors import LeaseDenied, ResourceInvalid
from remit.kernel.model import Capability
from remit.policy.deciding.resources import covers, parse_resource
from remit.sandbox.egress.gate import Passage, Stopped, check_addresses
from remit.sandbox.egress.target import parse_target
from remit.sandbox.interfaces.tree import read_file
from tests.policy.adversarial.entries import Entries

attack = Entries()
HERE = "https://example.com"
OURS = (
    '@id("site.ours") permit (principal is Remit::Unit, action == Remit::Action::"net:http", '
    'resource in Remit::Domain::"example.com");'
)


def malformed(action, *texts):
    for text in texts:
        with pytest.raises(ResourceInvalid):
            parse_resource(action, text)


def foreign(action, granted, *texts):
    """A grant of one is of no use for the others, whether they parse or not."""
    for text in texts:
        try:
            assert not covers(parse_resource(action, granted), parse_resource(action, text)), text
        except ResourceInvalid:
            continue


def holder(at, action, resource, **options):
    """A unit that holds a consented grant, its authority, and a use that must be denied."""
    unit = at.world.unit()
    authority = at.world.started(at.world.grant(unit, action, resource, **options))

    def denied(concrete):
        with pytest.raises(LeaseDenied) as refusal:
            authority.use(unit, action, concrete, method="GET" if action == "net:http" else "")
        return refusal.value

    return unit, authority, denied


@attack("/data/../etc")
def _(at):
    *_, denied = holder(at, "fs:read", "/data")
    for path in ("/data/../etc/passwd", "/data/..", "/data/./x", "/data//x", "/data\\..\\etc"):
        denied(path)
    malformed("fs:read", "/data/../etc", "/data/./x", "/data//x")


@attack("/database against /data")
def _(at):
    *_, denied = holder(at, "fs:read", "/data")
    denied("/database")
    denied("/database/x")
    foreign("fs:read", "/data", "/database", "/data.bak", "/dat", "/")


@attack("symlink")
def _(at):
    folder = at.folder / "granted"
    folder.mkdir()
    (folder / "inside").write_text("mine")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "way").symlink_to("/etc")
    unit, authority, _ = holder(at, "fs:read", str(folder))
    assert authority.use(unit, "fs:read", f"{folder}/inside")
    assert read_file(f"{folder}/inside") == b"mine"
    for path in ("link", "way/passwd"):
        with pytest.raises(OSError, match=r".*"):
            read_file(f"{folder}/{path}")


@attack("case folding")
def _(at):
    *_, denied = holder(at, "fs:read", "/data")
    denied("/DATA/x")
    assert "guard.secret-dirs" in holder(at, "fs:read", "/home/a")[2]("/home/a/.SSH/id").details["policies"]
    assert parse_resource("net:http", "HTTPS://Example.COM").text == HERE
    malformed("events:emit", "Text.a")
    malformed("action:call", "Acme/tool")


@attack("percent-encoding")
def _(at):
    unit, authority, denied = holder(at, "fs:read", "/data")
    denied("/%64ata/x")
    # Nothing decodes a path: this is a file with an odd name in /data, to policy as to the file system.
    assert authority.use(unit, "fs:read", "/data/%2e%2e/etc")
    assert parse_resource("fs:read", "/data/%2e%2e/etc").text == "/data/%2e%2e/etc"
    malformed("net:http", "https://%65xample.com", "https://example%2ecom", "https://example.com%00.evil.net")


@attack("trailing dot")
def _(_at):
    malformed("net:http", "https://example.com.")
    malformed("events:emit", "text.", "text..a")
    foreign("net:http", HERE, "https://example.com.", "https://example.com..")


@attack("userinfo@")
def _(_at):
    malformed("net:http", "https://example.com@evil.net", "https://user:pw@example.com", "https://@example.com")
    assert parse_target("https://example.com@evil.net/") is None


@attack("IDN homograph")
def _(at):
    malformed("net:http", "https://ex\u0430mple.com", "https://example\u3002com", "https://\uff45xample.com")
    *_, denied = holder(at, "net:http", HERE)
    denied("https://xn--exmple-4nf.com")


@attack("port change")
def _(at):
    *_, denied = holder(at, "net:http", HERE)
    denied("https://example.com:8443")
    denied("http://example.com")
    denied("http://example.com:443")
    assert parse_resource("net:http", "https://example.com:443").text == HERE


@attack("redirect to a private address")
def _(at):
    origins = ("http://10.0.0.1", "https://192.168.0.1", "http://169.254.169.254", "https://[fd00::1]")
    unit, authority, denied = holder(at, "net:http", HERE)
    assert authority.use(unit, "net:http", HERE, method="GET")
    for origin in origins:
        denied(origin)
    # Even a grant of that very origin does not reach where it leads.
    own = [at.world.grant(unit, "net:http", origin, consent="local") for origin in origins]
    authority.activate([unit], own)
    for grant in own:
        for special in ("private", "metadata", "link-local"):
            assert not authority.reach(grant, grant.capability.resource, special).allowed


@attack("DNS rebinding")
def _(at):
    unit, authority, _ = holder(at, "net:http", HERE)
    grant = authority.use(unit, "net:http", HERE, method="GET")
    answers = [("8.8.8.8",), ("127.0.0.1",)]
    asked = []

    def resolver(host, *_):
        asked.append(host)
        return answers[len(asked) - 1]

    assert check_addresses(authority, grant, parse_target(HERE), resolver, 1.0) == Passage(("8.8.8.8",))
    assert len(asked) == 1  # what was checked is what is connected to
    assert isinstance(check_addresses(authority, grant, parse_target(HERE), resolver, 1.0), Stopped)
    mixed = check_addresses(authority, grant, parse_target(HERE), lambda *_: ("8.8.8.8", "10.0.0.1"), 1.0)
    assert isinstance(mixed, Stopped)


@attack("0x7f.1")
def _(_at):
    malformed(
        "net:http", "http://0x7f.1", "http://127.1", "http://2130706433", "http://0177.0.0.1", "http://0x7f000001"
    )


@attack("::ffff:127.0.0.1")
def _(at):
    unit, authority, denied = holder(at, "net:http", HERE)
    denied("https://[::ffff:127.0.0.1]")
    grant = authority.use(unit, "net:http", HERE, method="GET")
    for address in ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"):
        way = check_addresses(authority, grant, parse_target(HERE), lambda *_, found=address: (found,), 1.0)
        assert isinstance(way, Stopped), address


@attack("example.com.evil.net")
def _(at):
    foreign("net:http", HERE, "https://example.com.evil.net", "https://com", "https://api.example.com")
    authority = at.world.authority(files={"policy/s.cedar": OURS})
    assert authority.review(at.world.unit(), Capability("net:http", "https://api.example.com")).allowed
    assert not authority.review(at.world.unit(), Capability("net:http", "https://example.com.evil.net")).allowed


@attack("notexample.com")
def _(at):
    authority = at.world.authority(files={"policy/s.cedar": OURS})
    for origin in ("https://notexample.com", "https://example.community", "https://xample.com"):
        assert not authority.review(at.world.unit(), Capability("net:http", origin)).allowed
    foreign("net:http", HERE, "https://notexample.com")


@pytest.mark.parametrize("entry", attack)
def test_hostile_resources(at, entry):
    attack[entry](at)
