"""The bundle: the same files give the same digest; nothing beyond the format comes in."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import BundleInvalid
from remit.registry import bundle as bundles
from remit.registry import pack, verify
from remit.schemas import formats

words = st.text("abcXYZ019_-.", min_size=1, max_size=6).filter(lambda word: word[0] not in ".-")
names = st.lists(words, min_size=1, max_size=3).map("/".join)


def apart(found) -> bool:
    """No two names of which one is the other's folder, whatever the case."""
    folded = [name.casefold() for name in found]
    return not any(one != other and other.startswith(f"{one}/") for one in folded for other in folded)


file_sets = (
    st.dictionaries(names, st.binary(max_size=20) | st.binary(max_size=9).map(lambda data: b"\0asm" + data), max_size=6)
    .filter(lambda files: len({name.casefold() for name in files} | {"unit.toml"}) == len(set(files) | {"unit.toml"}))
    .map(lambda files: files | {"unit.toml": b"x"})
    .filter(apart)
)


@given(file_sets, st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_files(files, random):
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert pack(dict(shuffled)) == pack(files)


@given(file_sets)
def test_the_manifest_is_canonical_and_names_every_file_by_digest(files):
    bundle = pack(files)
    manifest = json.loads(bundle.oci_manifest)
    assert rfc8785.dumps(manifest) == bundle.oci_manifest
    assert bundle.digest == "sha256:" + hashlib.sha256(bundle.oci_manifest).hexdigest()
    assert {
        layer["annotations"]["org.opencontainers.image.title"]: (layer["digest"], layer["size"])
        for layer in manifest["layers"]
    } == {name: ("sha256:" + hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()}


@given(file_sets, file_sets)
def test_different_files_have_different_digests(one, other):
    assert (pack(one).digest == pack(other).digest) == (one == other)


def test_the_manifest_is_an_oci_artifact_with_the_component_first(unit_files):
    bundle = pack(unit_files, origin="somewhere")
    manifest = json.loads(bundle.oci_manifest)
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["artifactType"] == formats.BUNDLE
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/wasm", "application/octet-stream", "text/markdown",
        "application/json", "application/json", "application/toml",
    ]  # fmt: skip
    config = bundles.config_of(bundle.files)
    assert manifest["config"] == {
        "mediaType": "application/vnd.wasm.config.v0+json",
        "digest": bundles.sha256(config),
        "size": len(config),
    }
    assert (bundle.local, bundle.origin) == (False, "somewhere")
    assert bundle.unit_toml == unit_files["unit.toml"]


def test_the_format_is_fixed():
    # A change of this digest changes the identity of every unit that exists: it needs a new format version.
    assert pack({"unit.toml": b"x", "a.wasm": b"\0asm"}).digest == (
        "sha256:16ca578efa8b88718e0ef0960c470c40264700cbfd2681c6f2c86cfc0ff027c3"
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        "a/.git",
        "-rf",
        "a b",
        "a\\b",
        "a\0",
        "a\n",
        "é",
        "a" * 201,
        "C:x",
    ],
)
def test_a_name_beyond_the_charset_is_refused(unit_files, name):
    with pytest.raises(BundleInvalid):
        pack(unit_files | {name: b""})


@pytest.mark.parametrize("clash", [("readme.md", "README.md"), ("a", "a/b"), ("A", "a/b"), ("Dir/a", "dir/A")])
def test_names_that_clash_on_some_file_system_are_refused(clash):
    with pytest.raises(BundleInvalid):
        pack({"unit.toml": b"", **dict.fromkeys(clash, b"")})


def test_a_bundle_without_a_manifest_is_refused():
    with pytest.raises(BundleInvalid, match=r"no unit\.toml"):
        pack({"a": b""})


def test_too_many_files_are_refused(unit_files):
    with pytest.raises(BundleInvalid, match="256 are allowed"):
        pack(unit_files | {f"f{number}": b"" for number in range(256)})


def test_files_beyond_the_size_are_refused(unit_files, monkeypatch):
    monkeypatch.setattr(bundles, "MAX_FILE", 1000)
    monkeypatch.setattr(bundles, "MAX_TOTAL", 1500)
    pack(unit_files | {"a": bytes(1000)})
    with pytest.raises(BundleInvalid, match="a has 1001 bytes"):
        pack(unit_files | {"a": bytes(1001)})
    with pytest.raises(BundleInvalid, match="1500 are allowed"):
        pack(unit_files | {"a": bytes(1000), "b": bytes(900)})


def test_a_changed_bundle_does_not_verify(unit_files):
    bundle = pack(unit_files)
    verify(bundle)
    for change in (
        {"digest": "sha256:" + "0" * 64},
        {"oci_manifest": bundle.oci_manifest + b" "},
        {"files": bundle.files | {"LICENSE": b"other"}},
    ):
        with pytest.raises(BundleInvalid):
            verify(msgspec.structs.replace(bundle, **change))
