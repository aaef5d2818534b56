"""A trust domain's folder: made whole, keys its owner's, rotated at once or not at all; and its log, which grows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import DiskFull, DomainExists, DomainInvalid, LogDamaged, SigningFailed, TokenInvalid
from remit.errors import signatures as why
from remit.registry.trust import Artifact, Identity
from remit.registry.trust import domain as domains
from remit.registry.trust import log as logs
from remit.registry.trust import token as tokens
from remit.registry.trust.domain import Domain
from remit.registry.trust.log import TransparencyLog
from remit.registry.trust.merkle import consistent
from remit.registry.trust.naming import ROTATABLE
from remit.registry.trust.note import read_note
from remit.registry.trust.root import Root
from remit.registry.trust.signing import DomainSigner
from remit.registry.trust.stamper import stamp_request
from remit.registry.trust.verifier import verify_identity

ARTIFACT = Artifact.of(b"some artifact")
ANN = "ann@example.com"


def signed(domain):
    return DomainSigner(domain, ANN).sign_artifact(ARTIFACT)


def believed(domain, data):
    return verify_identity(data, ARTIFACT, Root(domain.trusted_root), Identity(ANN, domain.issuer))


def test_the_keys_are_their_owners(domain):
    keys = domain.folder / domain.about.folder
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    keys.chmod(0o750)
    with pytest.raises(DomainInvalid, match="open to others"):
        Domain(domain.folder)


def test_no_private_key_is_in_what_others_get(domain):
    assert b"PRIVATE" not in domain.trusted_root
    assert {path.name for path in domain.folder.iterdir()} == {"domain.json", "trusted_root.json", "keys1", "log1"}


def test_a_domain_opens_again_as_it_was(domain, clock):
    data = signed(domain)
    again = Domain(domain.folder, clock)
    assert believed(again, data)
    assert believed(again, signed(again))
    assert len(again.log) == 2


def test_no_domain_is_made_over_anything(domain, tmp_path):
    with pytest.raises(DomainExists):
        Domain.create(domain.folder, "trust.example.com")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DomainExists):
        Domain.create(tmp_path / "file", "trust.example.com")
    (tmp_path / "empty").mkdir()
    assert Domain.create(tmp_path / "empty", "trust.example.com")


def test_a_domain_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(domains, "_write_json", full)
    with pytest.raises(DiskFull):
        Domain.create(tmp_path / "domain", "trust.example.com")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["domain.json", "trusted_root.json", "keys1/authority.pem", "keys1/log.pem", "keys1"])
def test_a_damaged_domain_is_not_opened(domain, name):
    path = domain.folder / name
    if path.is_dir():
        path.rename(path.with_name("gone"))
    elif name == "trusted_root.json":
        path.unlink()
    else:
        path.write_bytes(b"{}")
    with pytest.raises(DomainInvalid):
        Domain(domain.folder)


@pytest.mark.parametrize("what", ROTATABLE)
def test_a_rotation_keeps_what_was_signed_and_a_new_key_signs_on(domain, clock, what):
    before = signed(domain)
    clock.advance(5_000)
    domain.rotate(what)
    clock.advance(5_000)
    assert believed(domain, before)
    assert believed(domain, signed(domain))
    assert believed(Domain(domain.folder, clock), signed(domain))


@pytest.mark.parametrize("what", [what for what in ROTATABLE if what != "tokens"])
def test_after_a_compromise_nothing_of_before_counts(domain, clock, what):
    before = signed(domain)
    clock.advance(5_000)
    domain.rotate(what, compromised=True)
    with pytest.raises(why.Rejected):
        believed(domain, before)
    assert believed(domain, signed(domain))


@pytest.mark.parametrize("what", [what for what in ROTATABLE if what != "tokens"])
def test_an_old_key_signs_nothing_after_its_rotation(domain, clock, what):
    old = Domain(domain.folder, clock)
    clock.advance(5_000)
    domain.rotate(what)
    clock.advance(5_000)
    with pytest.raises(why.Rejected):
        believed(domain, signed(old))
    old.refresh()
    assert believed(domain, signed(old))


def test_a_rotation_that_is_cut_off_changes_nothing_and_can_be_done_again(domain, clock, monkeypatch):
    written = []

    def crash(path, document, write=domains._write_json):
        if path.name == "domain.json":
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, document)

    with monkeypatch.context() as patched:
        patched.setattr(domains, "_write_json", crash)
        clock.advance(5_000)
        with pytest.raises(KeyboardInterrupt):
            domain.rotate("authority")
    assert written == ["trusted_root.json"]
    again = Domain(domain.folder, clock)
    again.rotate("authority")
    clock.advance(5_000)
    assert believed(again, signed(again))


def test_a_token_says_who_somebody_is_for_ten_minutes(domain, clock):
    token = domain.token(ANN)
    assert domain.whose(token) == Identity(ANN, domain.issuer)
    uri = "https://example.com/release"
    assert domain.whose(domain.token(uri)).subject == uri
    clock.advance(11 * 60_000)
    with pytest.raises(TokenInvalid):
        domain.whose(token)


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 10_000, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."])
def test_a_token_of_another_kind_is_nobodys(domain, token):
    with pytest.raises(TokenInvalid):
        domain.whose(token)


def test_a_token_of_another_domain_is_nobodys(domain, clock, tmp_path):
    other = Domain.create(tmp_path / "other", "trust.example.com", clock)
    with pytest.raises(TokenInvalid):
        domain.whose(other.token(ANN))
    early = tokens.issue(domain._tokens, Identity(ANN, domain.issuer), clock.now_ms() // 1000 + 3600)
    with pytest.raises(TokenInvalid):
        domain.whose(early)


@pytest.mark.parametrize("subject", ["ännä@example.com", "nöbody"])
def test_a_subject_that_no_certificate_can_name_is_refused(domain, subject):
    with pytest.raises(SigningFailed):
        DomainSigner(domain, subject)


@pytest.mark.parametrize(
    "request_", [b"", b"0", b"\x30\x03\x02\x01\x01", b"\x30\x82\xff\xff", stamp_request(b"x")[:-3]]
)
def test_what_is_no_timestamp_request_gets_no_timestamp(domain, request_):
    with pytest.raises(SigningFailed):
        domain.stamp(request_)


# ---- the log ----


def entry(number):
    return {"kind": "hashedrekord", "apiVersion": "0.0.2", "spec": {"number": number}}


@pytest.fixture
def log(domain):
    return domain.log


def reopened(log):
    return TransparencyLog(log._folder, log.origin, log._key)


def test_a_log_shows_each_entry_in_a_state_that_begins_with_every_earlier_one(log):
    states = []
    for number in range(20):
        shown = log.append(entry(number))
        states.append(read_note(shown["inclusionProof"]["checkpoint"]["envelope"]))
    for old in states:
        proof = log.consistency(old.size, 20)
        assert consistent(old.size, 20, old.root, states[-1].root, proof)
    assert reopened(log).checkpoint == log.checkpoint


def test_a_tail_that_a_crash_cut_off_goes_and_nothing_else(log):
    log.append(entry(1))
    path = log._folder / "entries.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"half": ')
    again = reopened(log)
    assert len(again) == 1
    assert path.read_bytes() == whole
    assert again.append(entry(2))["logIndex"] == "1"


def test_an_entry_that_nobody_was_told_of_stays(log, monkeypatch):
    def crash(*_arguments, **_options):
        raise KeyboardInterrupt

    log.append(entry(1))
    with monkeypatch.context() as patched:
        patched.setattr(logs, "write_atomically", crash)
        with pytest.raises(KeyboardInterrupt):
            log.append(entry(2))
    assert len(reopened(log)) == 2


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_that_lost_what_it_promised_is_refused(log, kept):
    for number in range(3):
        log.append(entry(number))
    path = log._folder / "entries.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    with pytest.raises(LogDamaged):
        reopened(log)


def test_a_log_whose_entries_were_changed_is_refused(log):
    log.append(entry(1))
    path = log._folder / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    with pytest.raises(LogDamaged):
        reopened(log)
    (log._folder / "checkpoint").write_bytes(b"\xff")
    with pytest.raises(LogDamaged):
        reopened(log)


def test_a_full_disk_promises_nothing(log, monkeypatch):
    log.append(entry(1))
    write = os.write

    def full(descriptor, data):
        if len(data) < 30:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:5])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DiskFull):
            log.append(entry(2))
    assert len(reopened(log)) == 1
    assert log.append(entry(3))["logIndex"] == "1"


def test_threads_and_processes_append_to_one_log(domain, log):
    program = (
        "import sys; from pathlib import Path; from remit.registry.trust.domain import Domain\n"
        "log = Domain(Path(sys.argv[1])).log\n"
        "[log.append({'kind': 'k', 'apiVersion': '1', 'spec': n}) for n in range(10)]"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(domain.folder)]) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        shown = list(pool.map(lambda number: log.append(entry(number)), range(20)))
    assert [process.wait() for process in processes] == [0, 0]
    assert len({one["logIndex"] for one in shown}) == 20
    assert len(reopened(log)) == 40
    lines = (log._folder / "entries.jsonl").read_bytes().splitlines()
    assert [json.loads(lines[int(one["logIndex"])])["kind"] for one in shown] == ["hashedrekord"] * 20


def test_a_proof_of_what_never_was_is_not_given(log):
    log.append(entry(1))
    with pytest.raises(LogDamaged):
        log.consistency(1, 5)
