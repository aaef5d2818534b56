"""Units that are named without a place, and versions that were withdrawn."""

from __future__ import annotations

import pytest

from remit.errors import ReferenceInvalid, ReferenceUnknown, RegistryUnknown, Yanked
from remit.host import Home
from remit.registry import Reference, Registry, RegistrySource, parse, parse_registry
from remit.registry.index import Entry, fold
from remit.registry.intake import withdraw
from remit.registry.oci import sha256
from remit.registry.standing import hold

NAME = "acme/redact"
PLACE = Registry("registry.example.com")
DIGESTS = {version: sha256(version.encode()) for version in ("1.0.0", "1.1.0", "1.2.0")}


def offer(**withdrawn):
    lines = [Entry("published", NAME, version, digest, 1) for version, digest in DIGESTS.items()]
    lines += [
        Entry(kind, NAME, version, DIGESTS[version], 2, reason="leaks")
        for kind, versions in withdrawn.items()
        for version in versions
    ]
    return fold(lines)[NAME]


def test_a_range_means_the_best_version_that_stands():
    held = hold(Reference(PLACE, NAME, version_range="^1"), offer(yanked=["1.2.0"]))
    assert held == Reference(PLACE, NAME, digest=DIGESTS["1.1.0"])


@pytest.mark.parametrize("reference", [{"digest": DIGESTS["1.2.0"]}, {"tag": "1.2.0"}])
def test_a_yanked_version_is_given_to_who_names_it_and_a_killed_one_to_nobody(reference):
    named = Reference(PLACE, NAME, **reference)
    assert hold(named, offer(yanked=["1.2.0"])) == named
    with pytest.raises(Yanked, match="leaks"):
        hold(named, offer(killed=["1.2.0"]))


def test_where_nothing_stands_nothing_is_meant():
    with pytest.raises(Yanked):
        hold(Reference(PLACE, NAME), offer(yanked=list(DIGESTS)))
    with pytest.raises(ReferenceUnknown):
        hold(Reference(PLACE, NAME, version_range="^1.2"), offer(yanked=["1.2.0"]))


@pytest.fixture
def home(tmp_path, registry):
    made = Home.create(tmp_path / "home")
    with made.config_path.open("a") as file:
        file.write(f'[registry.ours]\nurl = "oci://{registry.host}"\npublishers = ["acme"]\n')
    return made


def test_a_unit_without_a_place_comes_from_the_registry_that_covers_its_publisher(home, client, make_bundle, store):
    for version in ("1.0.0", "1.1.0"):
        client.push(NAME, make_bundle(version), version)
    source = RegistrySource(home)
    assert source.fetch(NAME).digest == make_bundle("1.1.0").digest
    assert source.fetch(f"{NAME}@~1.0").digest == make_bundle("1.0.0").digest
    withdraw(store, NAME, "1.1.0", "leaks", "keeper", kill=False)
    assert source.fetch(NAME).digest == make_bundle("1.0.0").digest
    with pytest.raises(RegistryUnknown):
        source.fetch("globex/redact")


def test_a_registry_further_down_never_answers_for_a_publisher_that_another_covers(home, client, make_bundle):
    client.push(
        "globex/other", make_bundle("9.0.0", {"unit.toml": b'id = "globex/other"\nversion = "9.0.0"\n'}), "9.0.0"
    )
    text = home.config_path.read_text()
    head, _, table = text.partition("[registry.ours]")
    nowhere = '[registry.first]\nurl = "oci://127.0.0.1:1"\npublishers = ["globex"]\n'
    home.config_path.write_text(f"{head}{nowhere}[registry.ours]{table.replace('acme', '*')}")
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        RegistrySource(home).fetch("globex/other")


@pytest.mark.parametrize(
    "text",
    [
        "http://a/b",
        "oci://",
        "oci:///b",
        "oci://host",
        "oci://user:pass@host/b",
        "oci://host/../b",
        "oci://host/B",
        "oci://host/b:",
        "oci://host/b@",
        "oci://host:99999/b",
        "oci://host/b:a b",
        "oci://host/b@sha256:00",
        "oci://host/b@md5:00",
        "oci://host/b?x=1",
        "oci://host/b#x",
        "oci://[::1/b",
        "oci://h\nost/b",
    ],
)
def test_what_is_no_reference(text):
    with pytest.raises(ReferenceInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("oci://localhost:5000", True),
        ("oci://127.0.0.1", True),
        ("oci://127.1.2.3:1", True),
        ("oci://[::1]:5000/team", True),
        ("oci://localhost.evil.example", False),
        ("oci://127.0.0.1.evil.example", False),
        ("oci://10.0.0.1:5000", False),
    ],
)
def test_only_this_machine_is_spoken_to_in_the_clear(text, loopback):
    registry = parse_registry(text)
    assert (registry.loopback, registry.base.partition(":")[0]) == (loopback, "http" if loopback else "https")
