"""A registry that gives other contents than were asked for, or what is no unit: each has its own refusal."""

from __future__ import annotations

import json

import pytest

from remit.errors import (
    BundleInvalid,
    ContentMismatch,
    NotAUnit,
    ReplyInvalid,
    ReplyTooLarge,
)
from remit.kernel.model import Referrer
from remit.registry import Reference
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.oci import IMAGE_MANIFEST, SIGNATURE, referrer_manifest, sha256
from tests.registry.lying import NAME, PLAIN, endless, listening, wasm


def refused(pull, error):
    with pytest.raises(error):
        pull()


def test_an_honest_registry_is_believed(pull, bundle):
    assert pull().digest == bundle.digest


# ---- digests and sizes ----


@pytest.mark.parametrize("change", [b"", b"\0asm\x0d\0\x01", b"\0asm\x0d\0\x01\x01"], ids=["empty", "short", "other"])
def test_a_blob_that_is_not_its_digest(pull, liar, bundle, change):
    liar.answers[wasm(bundle)] = (200, PLAIN, change)
    refused(pull, ContentMismatch)


def test_a_blob_that_is_longer_than_its_size(pull, liar, bundle):
    liar.answers[wasm(bundle)] = (200, PLAIN, bundle.files["redact.wasm"] + b"\0" * 100)
    refused(pull, ContentMismatch)


def test_a_manifest_that_is_not_the_digest_in_the_header(pull, liar, bundle):
    liar.manifest(bundle.oci_manifest, **{"docker-content-digest": "sha256:" + "0" * 64})
    refused(pull, ContentMismatch)


def test_a_manifest_that_is_not_the_digest_that_was_asked_for(liar, bundle):
    wanted = "sha256:" + "0" * 64
    liar.answers[f"/v2/{NAME}/manifests/{wanted}"] = (200, PLAIN, bundle.oci_manifest)
    with (
        listening(liar.answers, liar.seen) as place,
        RegistryClient(place, credentials=Credentials()) as client,
        pytest.raises(ContentMismatch),
    ):
        client.pull(Reference(place, NAME, digest=wanted))


def test_two_blobs_swapped(pull, liar, bundle):
    first, second = (f"/v2/{NAME}/blobs/{sha256(bundle.files[name])}" for name in ("redact.wasm", "README.md"))
    liar.answers[first], liar.answers[second] = liar.answers[second], liar.answers[first]
    refused(pull, ContentMismatch)


# ---- manifests ----


def altered(bundle, **changes):
    return json.dumps(json.loads(bundle.oci_manifest) | changes, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"artifactType": "application/vnd.example.other"}, NotAUnit),
        ({"artifactType": ""}, NotAUnit),
        ({"mediaType": "application/vnd.oci.image.index.v1+json"}, ReplyInvalid),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}, ReplyInvalid),
        ({"schemaVersion": 1}, ReplyInvalid),
        ({"schemaVersion": "2"}, ReplyInvalid),
        ({"layers": {}}, ReplyInvalid),
        ({"layers": []}, BundleInvalid),
        ({"annotations": {"more": "x"}}, BundleInvalid),
        ({"unknown": 1}, BundleInvalid),
        ({"config": {"mediaType": "x", "digest": "sha512:00", "size": 1}}, ReplyInvalid),
        ({"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": -1}}, ReplyInvalid),
        ({"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": 1}}, BundleInvalid),
    ],
)
def test_a_manifest_that_is_no_units(pull, liar, bundle, changes, error):
    liar.manifest(altered(bundle, **changes))
    refused(pull, error)


@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (lambda layers: [*layers, layers[0]], NotAUnit),
        (lambda layers: layers[::-1], BundleInvalid),
        (lambda layers: layers[:-1], BundleInvalid),
        (lambda layers: [{**layers[0], "size": 65 << 20}, *layers[1:]], NotAUnit),
        (lambda layers: [{**layer, "size": 60 << 20} for layer in layers], NotAUnit),
        (lambda layers: [{**layers[0], "annotations": {}}, *layers[1:]], NotAUnit),
        (lambda layers: [{**layers[0], "mediaType": "text/html"}, *layers[1:]], BundleInvalid),
        (lambda layers: [{**layers[0], "annotations": {_TITLE: "../../etc/passwd"}}, *layers[1:]], BundleInvalid),
        (lambda layers: [{**layers[0], "annotations": {_TITLE: "/etc/passwd"}}, *layers[1:]], BundleInvalid),
        (lambda layers: [{**layers[0], "annotations": {_TITLE: "a\\..\\b"}}, *layers[1:]], BundleInvalid),
        (lambda layers: [{**layers[0], "annotations": {_TITLE: "a\0b"}}, *layers[1:]], BundleInvalid),
        (lambda layers: [{**layers[0], "annotations": {_TITLE: "README.MD"}}, *layers[1:]], BundleInvalid),
        (lambda layers: layers * 60, NotAUnit),
    ],
    ids=lambda value: "" if callable(value) else value.__name__,
)
def test_layers_that_are_no_units(pull, liar, bundle, alter, error):
    liar.manifest(altered(bundle, layers=alter(json.loads(bundle.oci_manifest)["layers"])))
    refused(pull, error)


_TITLE = "org.opencontainers.image.title"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b'{"schemaVersion":2,"x":' + b'{"a":' * 50_000,
        b"\xff\xfe",
        b'{"schemaVersion":2}',
    ],
    ids=["empty", "cut", "null", "deep", "deep-unknown", "utf8", "bare"],
)
def test_a_manifest_that_is_no_json(pull, liar, body):
    liar.manifest(body)
    refused(pull, ReplyInvalid)


def test_a_manifest_with_a_key_twice(pull, liar, bundle):
    liar.manifest(bundle.oci_manifest[:-1] + b',"schemaVersion":2}')
    refused(pull, BundleInvalid)


def test_a_manifest_that_is_too_long(pull, liar, bundle):
    liar.manifest(bundle.oci_manifest + b" " * (257 << 10))
    refused(pull, ReplyTooLarge)


# ---- what does not end ----


def test_a_manifest_without_end(pull, liar):
    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = endless
    refused(pull, ReplyTooLarge)


def test_a_blob_without_end(pull, liar, bundle):
    liar.answers[wasm(bundle)] = endless
    refused(pull, ContentMismatch)


# ---- referrers ----


def referring(liar, bundle, manifest, **changes):
    entry = {"mediaType": IMAGE_MANIFEST, "digest": sha256(manifest), "size": len(manifest)} | changes
    listed = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    liar.answers[f"/v2/{NAME}/referrers/{bundle.digest}"] = (200, PLAIN, listed)
    liar.answers[f"/v2/{NAME}/manifests/{entry['digest']}"] = (200, PLAIN, manifest)


def test_a_referrer_of_another_unit(pull, liar, bundle):
    signature = Referrer(SIGNATURE, b"{}")
    referring(liar, bundle, referrer_manifest(b"another manifest", signature))
    refused(pull, ReplyInvalid)


def test_a_referrer_whose_contents_are_others(pull, liar, bundle):
    signature = Referrer(SIGNATURE, b"{}")
    referring(liar, bundle, referrer_manifest(bundle.oci_manifest, signature))
    liar.answers[f"/v2/{NAME}/blobs/{sha256(b'{}')}"] = (200, PLAIN, b"[]")
    refused(pull, ContentMismatch)


def test_a_referrer_that_is_too_large(pull, liar, bundle):
    signature = Referrer(SIGNATURE, bytes((4 << 20) + 1))
    referring(liar, bundle, referrer_manifest(bundle.oci_manifest, signature))
    refused(pull, ReplyTooLarge)


def test_more_referrers_than_are_looked_at(pull, liar, bundle):
    entry = {"mediaType": IMAGE_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    listed = json.dumps({"schemaVersion": 2, "manifests": [entry] * 17}).encode()
    liar.answers[f"/v2/{NAME}/referrers/{bundle.digest}"] = (200, PLAIN, listed)
    refused(pull, ReplyTooLarge)
