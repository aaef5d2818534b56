"""Whom a home believes of a unit: what is found out about a bundle, and what a home learns from what it admits."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from remit.errors import BundleInvalid, ManifestInvalid, SigningFailed, TrustUnknown, UnsignedRefused, UsageError
from remit.errors import signatures as why
from remit.journal import Event, Record
from remit.kernel.model import Referrer
from remit.registry.oci import SIGNATURE
from remit.registry.trust import Artifact, Identity, Signer
from remit.registry.trust.admission import AdmissionVerifier
from remit.registry.trust.changes import imported, retired, view
from remit.registry.trust.holdings import Holdings, HoldingsFold
from remit.registry.trust.releasing import CYCLONEDX, SLSA, attestation, signed
from remit.registry.trust.signing import DomainSigner, KeySigner

ANN, BOB = "ann@example.com", "bob@example.com"
UNIT = "acme/redact"


class World:
    """What one home trusts, and a domain that signs."""

    def __init__(self, domain, make_bundle):
        self.domain = domain
        self.make = make_bundle
        self.held = Holdings()
        self.fold = HoldingsFold()
        self.count = 0
        self.wanted = frozenset()
        self.verifier = AdmissionVerifier(lambda: self.held, lambda: self.wanted)

    def follow(self, kind, facts):
        self.count += 1
        event = Event(specversion="1.0", id=str(self.count), source="//home/kernel", type=kind, time="")
        record = Record(self.count, 0, "", b"", b"", event)
        self.held = self.fold.apply(self.held, [record], lambda _record: facts)

    def trust(self, text="", **options):
        self.follow("trust.imported", imported(self.held, text, **options))

    def trust_domain(self, **options):
        self.trust(self.domain.trusted_root.decode(), **options)

    def whom(self, subject=ANN):
        return Identity(subject, self.domain.issuer)

    def release(self, version="1.2.0", subject=ANN, **options):
        return signed(self.make(version), UNIT, version, DomainSigner(self.domain, subject), **options)

    def admit(self, bundle, version="1.2.0"):
        found = self.verifier.verify(bundle)
        self.follow("unit.installed", {**found.record, "id": UNIT, "version": version, "digest": bundle.digest})
        return found


@pytest.fixture
def world(domain, make_bundle):
    return World(domain, make_bundle)


def with_referrers(bundle, *referrers):
    return msgspec.structs.replace(bundle, referrers=referrers)


def private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


# ---- signed or not ----


def test_nothing_unsigned_is_let_in_but_a_folder(world):
    with pytest.raises(UnsignedRefused, match="not signed"):
        world.verifier.verify(world.make())
    found = world.verifier.verify(world.make(local=True))
    assert (found.admission, found.signer, found.record) == ("local", "", {})


def test_a_home_that_trusts_nobody_believes_nobody(world):
    with pytest.raises(why.RootMissing):
        world.verifier.verify(world.release())


def test_a_release_is_signed_by_whom_it_says(world):
    world.trust_domain()
    found = world.verifier.verify(world.release())
    assert (found.admission, found.signer) == ("signed", f"{ANN} ({world.domain.issuer})")
    expected = {"issuer": world.domain.issuer, "pin": "first", "resembles": "", "rollback": False, "signer": ANN}
    assert dict(found.facts) == expected | {"root": "trust.example.com"}
    assert found.record["signature"]["root"] == "trust.example.com"
    assert found.record["checkpoint"].startswith(world.domain.log.origin)


def test_a_signature_of_another_bundle_is_refused(world):
    world.trust_domain()
    other = world.make("1.2.0", {"README.md": b"other"})
    with pytest.raises(why.SubjectMissing):
        world.verifier.verify(with_referrers(other, *world.release().referrers))


def test_a_bundle_whose_bytes_were_changed_is_refused(world):
    world.trust_domain()
    bundle = world.release()
    changed = msgspec.structs.replace(bundle, files={**bundle.files, "redact.wasm": b"\0asm\x0d\0\x01\x01"})
    with pytest.raises(BundleInvalid):
        world.verifier.verify(changed)


@pytest.mark.parametrize("text", [b"not toml [", b'id = "acme/redact"\n', b"id = 7\nversion = 1\n"])
def test_a_manifest_without_a_name_is_refused(world, text):
    world.trust_domain()
    with pytest.raises(ManifestInvalid):
        world.verifier.verify(world.make("1.2.0", {"unit.toml": text}))


@pytest.mark.parametrize(
    ("unit", "version", "reason"), [("acme/other", "1.2.0", why.ReleaseId), (UNIT, "1.2.1", why.ReleaseVersion)]
)
def test_a_release_of_something_else_is_refused(world, unit, version, reason):
    world.trust_domain()
    bundle = signed(world.make(), unit, version, DomainSigner(world.domain, ANN))
    with pytest.raises(reason):
        world.verifier.verify(bundle)


def test_a_signature_over_the_manifest_alone_is_no_release(world):
    world.trust_domain()
    bundle = world.make()
    data = DomainSigner(world.domain, ANN).sign_artifact(Artifact.of(bundle.oci_manifest))
    with pytest.raises(why.PredicateType):
        world.verifier.verify(with_referrers(bundle, Referrer(SIGNATURE, data)))


def test_one_signature_that_holds_is_enough_whatever_else_refers(world):
    world.trust_domain()
    bundle = world.release()
    junk = Referrer(SIGNATURE, b"{}")
    assert world.verifier.verify(with_referrers(bundle, junk, *bundle.referrers, junk)).admission == "signed"
    with pytest.raises(why.Rejected):
        world.verifier.verify(with_referrers(bundle, junk))


# ---- what else is said ----


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        (CYCLONEDX, {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}),
        (SLSA, {"buildDefinition": {"buildType": "https://example.com/b"}, "runDetails": {"builder": {"id": "x"}}}),
    ],
)
def test_what_else_is_said_of_a_unit_is_no_release(world, kind, predicate):
    world.trust_domain()
    said = attestation(kind, json.dumps(predicate).encode())
    bundle = world.release(attestations={kind: said})
    assert len(bundle.referrers) == 2
    assert world.verifier.verify(bundle).admission == "signed"
    for referrer in bundle.referrers:
        alone = with_referrers(bundle, referrer)
        if kind.encode() in base64.b64decode(json.loads(referrer.data)["dsseEnvelope"]["payload"]):
            with pytest.raises(why.PredicateType):
                world.verifier.verify(alone)
        else:
            assert world.verifier.verify(alone).admission == "signed"


@pytest.mark.parametrize(
    ("kind", "data"),
    [(CYCLONEDX, b"{}"), (CYCLONEDX, b'{"bomFormat": "SPDX"}'), (SLSA, b"[]"), (SLSA, b'{"runDetails": {}}')],
)
def test_what_is_not_what_its_type_says_is_not_attested(kind, data):
    with pytest.raises(why.StatementMalformed):
        attestation(kind, data)


def test_not_more_is_signed_than_travels(world):
    bundle = world.release()
    many = with_referrers(bundle, *(Referrer(SIGNATURE, b"%d" % index) for index in range(16)))
    with pytest.raises(SigningFailed):
        signed(many, UNIT, "1.2.0", DomainSigner(world.domain, ANN))


# ---- keys ----


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_signs_for_its_publisher(world, key):
    bundle = signed(world.make(), UNIT, "1.2.0", KeySigner(private(key)))
    with pytest.raises(why.KeyUnknown):
        world.verifier.verify(bundle)
    world.trust(public(key), publisher="acme")
    found = world.verifier.verify(bundle)
    [name] = world.held.keys
    assert (found.signer, found.facts["pin"], found.facts["signer"]) == (f"key {name}", "same", name)
    world.follow("trust.retired", retired(world.held, name))
    with pytest.raises(why.KeyUnknown):
        world.verifier.verify(bundle)
    assert world.held.pin("acme", Signer(key=name)) == "retired"


def test_a_key_of_one_publisher_is_a_stranger_to_another(world):
    key = ec.generate_private_key(ec.SECP256R1())
    world.trust(public(key), publisher="globex")
    world.trust_domain(publisher="acme", identity=world.whom())
    found = world.verifier.verify(signed(world.make(), UNIT, "1.2.0", KeySigner(private(key))))
    assert found.facts["pin"] == "other"


# ---- who signs for a publisher ----


def test_the_first_signer_is_kept_and_another_is_told_apart(world):
    world.trust_domain()
    assert world.admit(world.release()).facts["pin"] == "first"
    assert world.verifier.verify(world.release("1.3.0")).facts["pin"] == "same"
    stranger = world.verifier.verify(world.release("1.3.0", BOB))
    assert stranger.facts["pin"] == "other"
    assert any("somebody else" in line for line in stranger.warnings)


@pytest.mark.parametrize("subject", ["ann@example.co", "ann@example.com.evil.example", "Ann@example.com"])
def test_a_signer_is_meant_exactly(world, subject):
    world.trust_domain(publisher="acme", identity=world.whom())
    assert world.verifier.verify(world.release(subject=subject)).facts["pin"] == "other"


def test_the_same_subject_of_another_issuer_is_somebody_else(world, tmp_path, clock):
    other = type(world.domain).create(tmp_path / "other", "other.example.com", clock)
    world.trust_domain(publisher="acme", identity=world.whom())
    world.trust(other.trusted_root.decode())
    bundle = signed(world.make(), UNIT, "1.2.0", DomainSigner(other, ANN))
    assert world.verifier.verify(bundle).facts["pin"] == "other"


def test_another_root_that_certifies_the_same_name_makes_nobody_the_same_signer(world, tmp_path, clock):
    """Whoever runs a Sigstore writes the issuer into its certificates: a name means something under its root only."""
    world.trust_domain(publisher="acme", identity=world.whom())
    twin = type(world.domain).create(tmp_path / "twin", "trust.example.com", clock)
    world.trust(twin.trusted_root.decode(), name="twin")
    bundle = signed(world.make(), UNIT, "1.2.0", DomainSigner(twin, ANN))
    found = world.verifier.verify(bundle)
    assert (found.facts["signer"], found.facts["issuer"]) == (ANN, world.domain.issuer)
    assert (found.facts["root"], found.facts["pin"]) == ("twin", "other")
    with pytest.raises(UsageError, match="2 roots"):
        world.trust(publisher="acme", identity=world.whom())
    world.trust(publisher="acme", identity=world.whom(), name="twin")
    assert world.verifier.verify(bundle).facts["pin"] == "same"
    assert world.verifier.verify(world.release()).facts["pin"] == "same"
    world.follow("trust.retired", retired(world.held, publisher="acme", identity=world.whom()))
    for each in (bundle, world.release()):
        with pytest.raises(why.SignerRetired):
            world.verifier.verify(each)


def test_one_root_under_two_names_is_no_stranger(world):
    world.trust_domain(publisher="acme", identity=world.whom())
    retire = retired(world.held, "trust.example.com")
    world.trust_domain(name="again")
    assert world.verifier.verify(world.release()).facts["pin"] == "same"
    world.follow("trust.retired", retire)
    assert world.verifier.verify(world.release()).facts["pin"] == "other"


def test_an_identity_needs_a_root_that_vouches_for_it(world):
    for name in ("", "nobody"):
        with pytest.raises(TrustUnknown):
            world.trust(publisher="acme", identity=world.whom(), name=name)


def test_of_many_signatures_the_one_of_the_publishers_signer_counts(world):
    world.trust_domain(publisher="acme", identity=world.whom(BOB))
    both = signed(world.release(), UNIT, "1.2.0", DomainSigner(world.domain, BOB))
    found = world.verifier.verify(both)
    assert (found.facts["signer"], found.facts["pin"]) == (BOB, "same")


def test_a_retired_signer_is_refused_until_named_again(world):
    world.trust_domain(publisher="acme", identity=world.whom())
    world.follow("trust.retired", retired(world.held, publisher="acme", identity=world.whom()))
    with pytest.raises(why.SignerRetired):
        world.verifier.verify(world.release())
    world.trust(publisher="acme", identity=world.whom())
    assert world.verifier.verify(world.release()).facts["pin"] == "same"


def test_a_retired_root_vouches_for_nobody(world):
    world.trust_domain()
    world.follow("trust.retired", retired(world.held, "trust.example.com"))
    with pytest.raises(why.RootMissing):
        world.verifier.verify(world.release())


# ---- what a home learned ----


def test_an_older_version_than_was_admitted_is_a_rollback(world):
    world.trust_domain()
    older = world.release("1.2.0")
    world.admit(older, "1.2.0")
    world.admit(world.release("1.10.0"), "1.10.0")
    assert world.verifier.verify(world.release("1.9.0")).facts["rollback"] is True
    assert world.verifier.verify(world.release("1.11.0")).facts["rollback"] is False
    assert world.verifier.verify(older).facts["rollback"] is False, "it was admitted already"


def test_a_log_that_shows_another_history_than_before_is_refused(world, tmp_path, clock):
    world.trust_domain()
    copy = tmp_path / "copy"
    shutil.copytree(world.domain.folder, copy)
    forked = type(world.domain)(copy, clock)
    world.admit(world.release("1.2.0"))
    bundle = signed(world.make("1.3.0"), UNIT, "1.3.0", DomainSigner(forked, ANN))
    with pytest.raises(why.LogForked):
        world.verifier.verify(bundle)


def test_names_that_could_be_taken_for_others_are_told(world):
    world.trust_domain()
    world.wanted = frozenset({"globex/forms"})
    bundle = signed(
        world.make("1.2.0", {"unit.toml": b'id = "g1obex/forms"\nversion = "1.2.0"\n'}),
        "g1obex/forms",
        "1.2.0",
        DomainSigner(world.domain, ANN),
    )
    found = world.verifier.verify(bundle)
    assert found.facts["resembles"] == "globex"
    assert found.warnings == ("g1obex/forms could be taken for globex",)


def test_what_a_home_holds_survives_its_snapshot(world):
    world.trust_domain(publisher="acme", identity=world.whom())
    world.trust(public(ec.generate_private_key(ec.SECP256R1())), publisher="globex")
    world.admit(world.release())
    assert world.fold.restore(world.fold.snapshot(world.held)) == world.held
    shown = view(world.held)
    assert list(shown.roots.values()) == ["sha256:" + hashlib.sha256(world.domain.trusted_root).hexdigest()]
    assert [(one.publisher, one.pin) for one in shown.signers] == [("acme", "named"), ("globex", "named")]
    assert shown.floors == {UNIT: "1.2.0"}


# ---- changes that are none ----


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"publisher": "acme"},
        {"identity": Identity(ANN, "https://oidc.trust.example.com")},
        {"publisher": "Acme!", "identity": Identity(ANN, "https://oidc.trust.example.com")},
    ],
)
def test_half_an_import_is_refused(world, options):
    with pytest.raises(UsageError):
        world.trust(**options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", why.RootMalformed),
        ("{", why.RootMalformed),
        ("[]", why.RootMalformed),
        ("x" * (2 << 20), why.BundleTooLarge),
    ],
)
def test_what_is_no_root_is_not_imported(world, text, reason):
    with pytest.raises(reason):
        world.trust(text)


def test_what_is_no_key_is_not_imported(world):
    with pytest.raises(why.KeyUnsuitable):
        world.trust("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", publisher="acme")


def test_what_is_not_trusted_cannot_be_retired(world):
    with pytest.raises(TrustUnknown):
        retired(world.held, "nobody")
    with pytest.raises(TrustUnknown):
        retired(world.held, publisher="acme", identity=world.whom())
    with pytest.raises(UsageError):
        retired(world.held)
