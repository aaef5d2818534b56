"""Signed units in a home: who is let in is policy's to say, by the facts of the signature; what was said stays."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from remit.errors import Denied, RemitError, SignerChanged, UnsignedRefused
from remit.errors import signatures as why
from remit.host import Identity, Kernel, connect, init, pack_unit, publish_unit, sign_unit, verify_unit
from remit.kernel.model import Caller
from remit.units.stock.locking import read_lock

ANN, BOB = "ann@example.com", "bob@example.com"
OLGA = Caller(principal="olga")


@pytest.fixture
def versions(tmp_path, unit):
    """Makes built folders of ``acme/echo`` in a version."""

    def make(version):
        folder = tmp_path / f"echo-{version}"
        shutil.copytree(unit("echo"), folder)
        manifest = folder / "unit.toml"
        manifest.write_text(manifest.read_text().replace('"1.0.0"', f'"{version}"'))
        return folder

    return make


@pytest.fixture
def opened(home):
    config = home / "remit.toml"
    config.write_text(config.read_text() + '\n[operator.olga]\nroles = ["operator"]\n')
    with Kernel.open(home, serve=False) as kernel:
        yield kernel


def why_denied(caught):
    return caught.value.details["policies"]


def test_an_unsigned_file_is_refused_whatever_is_allowed(opened, unit, tmp_path):
    file, _ = pack_unit(unit("echo"), tmp_path / "echo.unit")
    with pytest.raises(UnsignedRefused, match="not signed"):
        opened.install(str(file), allow_unsigned=True)
    assert opened.units() == []


def test_an_unsigned_unit_of_a_registry_is_refused_whatever_is_allowed(opened, unit, remit_registry):
    with pytest.raises(UnsignedRefused):
        opened.install(remit_registry.publish(unit("echo")), allow_unsigned=True)


def test_a_signed_unit_says_who_signed_it_for_ever(opened, unit, remit_trust_domain):
    remit_trust_domain.trusted_by(opened)
    installed = opened.install(str(remit_trust_domain.sign(unit("echo"))))
    assert (installed.ref.admission, installed.signer) == ("signed", f"{ANN} ({remit_trust_domain.issuer})")
    opened.apply(opened.plan(add=[installed]), consent=True)
    [entry] = opened.units()
    assert entry.signer == installed.signer
    [event] = opened.events(prefixes=["unit.installed"])
    assert event["event"]["data"]["signature"]["signer"]["subject"] == ANN
    assert event["event"]["data"]["checkpoint"] == installed.checkpoint != ""


def test_the_first_signer_is_kept_unless_an_owner_insists(opened, versions, remit_trust_domain):
    remit_trust_domain.trusted_by(opened)
    opened.install(str(remit_trust_domain.sign(versions("1.0.0"))))
    other = str(remit_trust_domain.sign(versions("1.1.0"), BOB))
    with pytest.raises(Denied) as caught:
        opened.install(other)
    assert why_denied(caught) == ["guard.signer-change"]
    with pytest.raises(Denied):
        opened.install(other, override=True, caller=OLGA)
    assert opened.install(other, override=True).warnings


def test_an_older_version_is_refused_unless_an_owner_insists(opened, versions, remit_trust_domain):
    remit_trust_domain.trusted_by(opened)
    opened.install(str(remit_trust_domain.sign(versions("1.1.0"))))
    older = str(remit_trust_domain.sign(versions("1.0.0")))
    with pytest.raises(Denied) as caught:
        opened.install(older)
    assert why_denied(caught) == ["guard.rollback"]
    opened.uninstall("acme/echo")
    with pytest.raises(Denied):
        opened.install(older)
    assert opened.install(older, override=True).ref.version == "1.0.0"


def test_a_strict_home_wants_to_know_the_signer_beforehand(opened, unit, remit_trust_domain):
    opened.policy_publish(posture="strict", override=True)
    remit_trust_domain.trusted_by(opened)
    signed = str(remit_trust_domain.sign(unit("echo")))
    with pytest.raises(Denied) as caught:
        opened.install(signed)
    assert why_denied(caught) == ["guard.unknown-signer"]
    opened.trust_import(publisher="acme", identity=remit_trust_domain.identity(ANN))
    assert opened.install(signed).ref.admission == "signed"


def test_a_strict_home_refuses_names_that_look_alike(opened, versions, remit_trust_domain):
    opened.policy_publish(posture="strict", override=True)
    folder = versions("1.0.0")
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace("acme/echo", "acne-labs/tonne"))
    config = opened.home().root + "/remit.toml"
    with open(config, "a") as file:  # noqa: PTH123 - a path as text
        file.write('\n[registry.ours]\nurl = "oci://registry.example.com"\npublishers = ["acme-labs"]\n')
    opened.plan()
    remit_trust_domain.trusted_by(opened, "acne-labs", ANN)
    signed = str(remit_trust_domain.sign(folder))
    assert opened.verify(signed).facts["resembles"] == ""  # an operator named who signs for it
    opened.trust_retire(publisher="acne-labs", identity=remit_trust_domain.identity(ANN))
    with pytest.raises(why.SignerRetired):
        opened.verify(signed)


def test_trust_is_changed_by_owners_alone_and_on_record(opened, remit_trust_domain):
    root = remit_trust_domain.trusted_root
    with pytest.raises(Denied):
        opened.trust_import(root, caller=OLGA)
    opened.trust_import(root)
    with pytest.raises(Denied):
        opened.trust_retire("trust.example.com", caller=OLGA)
    assert opened.trust_retire("trust.example.com").roots == {}
    kinds = [event["event"]["type"] for event in opened.events(prefixes=["trust."])]
    assert kinds == ["trust.imported", "trust.retired"]


def test_whom_a_home_trusts_survives_a_restart_and_works_over_the_socket(home, unit, remit_trust_domain):
    with Kernel.open(home) as kernel:
        remit_trust_domain.trusted_by(kernel, "acme", ANN)
    with Kernel.open(home), connect(home) as client:
        assert list(client.trust().roots) == ["trust.example.com"]
        signed = str(remit_trust_domain.sign(unit("echo")))
        assert client.verify(signed).facts["pin"] == "same"
        assert client.install(signed).signer.startswith(ANN)


def test_only_who_may_install_has_the_kernel_look_at_units(opened, unit, remit_trust_domain):
    remit_trust_domain.trusted_by(opened)
    signed = str(remit_trust_domain.sign(unit("echo")))
    assert opened.verify(signed, caller=OLGA).admission == "signed"
    with pytest.raises(Denied):
        opened.verify(signed, caller=Caller(principal="mallory"))


def test_what_was_verified_is_what_is_loaded(opened, unit, remit_trust_domain):
    """A component that is replaced on disk between the verification and its use is found out, and does not run."""
    remit_trust_domain.trusted_by(opened)
    installed = opened.install(str(remit_trust_domain.sign(unit("echo"))))
    root = Path(opened.home().root)
    evil = unit("counter").joinpath("counter.wasm").read_bytes()
    component = "sha256:" + hashlib.sha256(unit("echo").joinpath("echo.wasm").read_bytes()).hexdigest()
    [place] = [path for path in (root / ".remit" / "blobs").rglob("*") if path.name in component and path.is_file()]
    place.chmod(0o600)
    place.write_bytes(evil)
    for cached in (root / ".remit" / "cache").rglob("*"):
        if cached.is_file():
            cached.unlink()
    with pytest.raises(RemitError) as caught:
        opened.apply(opened.plan(add=[installed]), consent=True)
    assert "has other bytes than its digest says" in caught.value.message
    assert opened.home().generation == 0


def test_verifying_without_a_home_believes_exactly_whom_it_is_told(unit, remit_trust_domain):
    signed = str(remit_trust_domain.sign(unit("echo")))
    root = remit_trust_domain.folder / "trusted_root.json"
    assert verify_unit(signed, root=root, identity=remit_trust_domain.identity(ANN)).admission == "signed"
    for stranger in (remit_trust_domain.identity(BOB), Identity(ANN, "https://evil.example")):
        with pytest.raises(why.IdentityMismatch):
            verify_unit(signed, root=root, identity=stranger)
    with pytest.raises(why.SignatureMissing):
        verify_unit(str(unit("echo")), root=root, identity=remit_trust_domain.identity(ANN))


def test_a_lock_says_who_signed_and_holds_upgrades_to_it(tmp_path, versions, remit_trust_domain, remit_registry):
    root = tmp_path / "locked"
    init(root)
    lines = f'[[unit]]\nid = "acme/echo"\nversion = "*"\n[registry.ours]\nurl = "{remit_registry.reference}"\n'
    with (root / "remit.toml").open("a") as file:
        file.write("\n" + lines)
    remit_registry.publish(versions("1.0.0"), remit_trust_domain.sign_as(ANN))
    with Kernel.open(root, serve=False) as kernel:
        remit_trust_domain.trusted_by(kernel)
        kernel.sync()
        [locked] = read_lock((root / "remit.lock").read_bytes()).units
        assert locked.signer == f"{ANN} ({remit_trust_domain.issuer})"
        assert locked.checkpoint.startswith("log1.trust.example.com 1 ")
        remit_registry.publish(versions("1.1.0"), remit_trust_domain.sign_as(BOB))
        with pytest.raises(SignerChanged):
            kernel.upgrade()
        assert [entry.ref.version for entry in kernel.units()] == ["1.0.0"], "nothing was admitted"
        kernel.upgrade(allow_signer_change=True)
        [locked] = read_lock((root / "remit.lock").read_bytes()).units
        assert (locked.version, locked.signer) == ("1.1.0", f"{BOB} ({remit_trust_domain.issuer})")


def test_signing_again_adds_a_signature_to_what_is_published(unit, remit_trust_domain, remit_registry, opened):
    remit_registry.publish(unit("echo"))
    done = publish_unit(remit_registry.reference, unit("echo"), sign_as=remit_trust_domain.sign_as(ANN))
    assert (done.fresh, done.signed) == (False, True)
    remit_trust_domain.trusted_by(opened)
    assert opened.install(done.reference).signer.startswith(ANN)


def test_what_is_signed_is_the_same_unit(unit, remit_trust_domain, tmp_path):
    _, bundle = pack_unit(unit("echo"), tmp_path / "plain.unit")
    done = sign_unit(tmp_path / "plain.unit", None, remit_trust_domain.sign_as(ANN))
    assert (done.digest, done.file) == (bundle.digest, str(tmp_path / "plain.unit"))
