"""Files, bundles and answers that must not be taken: each case is refused with a code of its own.

The signatures' half of the list is in ``trust/test_adversarial.py``; together they are what an attacker was tried with.
"""

from __future__ import annotations

import json
import struct
import time
import zipfile
from io import BytesIO

import msgspec
import pytest

from remit.errors import (
    NotAUnit,
    ReferenceInvalid,
    ReferenceUnknown,
    RegistryDenied,
    RegistryFailed,
    RegistryTooSlow,
    RegistryUnreachable,
    RemitError,
    ReplyTooLarge,
    StoreInvalid,
    UnsignedRefused,
    VersionTaken,
    Yanked,
)
from remit.errors import refusals as why
from remit.kernel.model import Referrer
from remit.registry import Reference, decode, encode, index, pack, parse, unitfile, verify
from remit.registry import bundle as bundles
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.index import Entry, Offer, fold, read_log
from remit.registry.oci import IMAGE_MANIFEST, SIGNATURE, referrer_manifest, sha256
from remit.registry.standing import hold
from remit.registry.trust.admission import AdmissionVerifier
from remit.registry.trust.holdings import Holdings
from tests.registry.lying import NAME, PLAIN, Liar, cut, dripping, endless, listening
from tests.registry.trust.test_adversarial import CASES as SIGNATURES

FILES = {"unit.toml": b'id = "acme/redact"\nversion = "1.2.0"\n', "a.wasm": b"\0asm123"}
UNIT = pack(FILES)
FILE = encode(UNIT)
TITLE = "org.opencontainers.image.title"
MANIFEST = f"/v2/{NAME}/manifests/1.2.0"
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
TAGS = f"/v2/{NAME}/tags/list"
REFERRERS = f"/v2/{NAME}/referrers/"


def entries():
    with zipfile.ZipFile(BytesIO(FILE)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def archive(*more, drop=()):
    return unitfile._archive([*(one for one in entries() if one[0] not in drop), *more])


def oversized():
    """A first entry that says it is larger than any may be."""
    data = bytearray(FILE)
    struct.pack_into("<I", data, 18, 1 << 30)
    struct.pack_into("<I", data, 22, 1 << 30)
    return bytes(data)


def trailing():
    """A byte between the contents and the end, which zip tools pass over."""
    return FILE[:-22] + b"\0" + FILE[-22:]


def many_referrers():
    beside = [Referrer(SIGNATURE, b"%d" % number) for number in range(17)]
    return encode(msgspec.structs.replace(UNIT, referrers=tuple(beside)))


FILES_REFUSED = [
    ("the manifest is missing", why.UnitFileUnnamed, lambda: archive(drop=[unitfile._MANIFEST_ENTRY])),
    ("a file was swapped", why.UnitFileMismatch, lambda: archive(("a.wasm", b"\0asm124"), drop=["a.wasm"])),
    ("something follows the contents", why.UnitFileRewritten, trailing),
    ("too much beside it", why.UnitFileReferrers, many_referrers),
    ("what is beside it is malformed", why.UnitFileReferrer, lambda: archive((f"{unitfile._REFERRERS}0.json", b"{"))),
    ("thousands of entries", why.UnitFileEntries, lambda: unitfile._archive((f"f{n}", b"") for n in range(10_000))),
    ("cut off in a head", why.UnitFileCut, lambda: FILE[:10]),
    ("an entry without end", why.UnitFileEntryCut, oversized),
    ("a name twice", why.UnitFileNameTwice, lambda: archive(("a.wasm", b"\0asm123"))),
    ("larger than any", why.UnitFileTooLarge, lambda: bytes(unitfile.MAX_UNIT_FILE + 1)),
    ("a name that climbs", why.NameForbidden, lambda: archive(("../../etc/passwd", b"x"))),
]
BUNDLES_REFUSED = [
    ("no unit.toml", why.BundleUnnamed, lambda: pack({"a": b""})),
    ("too many files", why.FilesTooMany, lambda: pack(FILES | {f"f{n}": b"" for n in range(bundles.MAX_FILES)})),
    ("one file too large", why.FileTooLarge, lambda: pack(FILES | {"b": bytes(bundles.MAX_FILE + 1)})),
    ("names that differ in case", why.NamesAlike, lambda: pack(FILES | {"A.wasm": b""})),
    ("a name below a file", why.NameBelowFile, lambda: pack(FILES | {"a.wasm/b": b""})),
    (
        "loaded bytes are not those that were signed",
        why.BundleChanged,
        lambda: verify(msgspec.structs.replace(UNIT, files={**UNIT.files, "a.wasm": b"\0asm666"})),
    ),
    ("unsigned", UnsignedRefused, lambda: AdmissionVerifier(Holdings, frozenset).verify(UNIT)),
    ("no reference", ReferenceInvalid, lambda: parse("oci://127.0.0.1:1/../x")),
    ("a killed version", Yanked, lambda: hold(Reference(None, NAME, tag="1.0.0"), killed())),
    ("a list too long", why.ListTooLong, lambda: read_log(bytes(index.MAX_LOG + 1))),
    ("a list that is malformed", why.ListMalformed, lambda: read_log(b"{}\n")),
    ("a list of what is no version", why.ListVersion, lambda: read_log(line("latest"))),
]


def line(version):
    return msgspec.json.encode(Entry("published", NAME, version, "sha256:1", 1)) + b"\n"


def killed():
    log = [Entry("published", NAME, "1.0.0", "sha256:1", 1), Entry("killed", NAME, "1.0.0", "sha256:1", 2)]
    offer: Offer = fold(log)[NAME]
    return offer


def wasm(liar):
    return f"/v2/{NAME}/blobs/{sha256(liar.bundle.files['redact.wasm'])}"


def altered(liar, **changes):
    liar.manifest(json.dumps(json.loads(liar.bundle.oci_manifest) | changes).encode())


def layers(liar, change):
    altered(liar, layers=change(json.loads(liar.bundle.oci_manifest)["layers"]))


def says(liar, path, status=200, body=b"", **headers):
    liar.answers[path] = (status, PLAIN | {key.replace("_", "-"): value for key, value in headers.items()}, body)


def listed(liar, *found):
    body = json.dumps({"schemaVersion": 2, "manifests": found}).encode()
    says(liar, REFERRERS + liar.bundle.digest, body=body)


def referring(liar, subject, data=b"{}"):
    manifest = referrer_manifest(subject, Referrer(SIGNATURE, data))
    listed(liar, {"mediaType": IMAGE_MANIFEST, "digest": sha256(manifest), "size": len(manifest)})
    says(liar, f"/v2/{NAME}/manifests/{sha256(manifest)}", body=manifest)


def pages(liar):
    counter = iter(range(10**9))

    def page(handler):
        handler.send_response(200)
        handler.send_header("link", f'<{TAGS}?last={next(counter)}>; rel="next"')
        handler.send_header("content-length", "18")
        handler.end_headers()
        handler.wfile.write(b'{"tags":["0.0.1"]}')

    liar.answers[TAGS] = page


def following(liar, link):
    """The list of tags goes on there."""
    says(liar, TAGS, body=b'{"tags":[]}', link=link)


def resumed(liar):
    asked = []

    def answer(handler):
        asked.append(1)
        if len(asked) == 1:
            cut(b"\0asm", 8)(handler)
            return
        handler.send_response(206)
        handler.send_header("content-range", "bytes 2-7/8")
        handler.send_header("content-length", "0")
        handler.end_headers()

    liar.answers[wasm(liar)] = answer


def challenge(liar, status, body):
    def ask(handler):
        handler.send_response(401)
        handler.send_header("www-authenticate", f'Bearer realm="http://{handler.headers["host"]}/token"')
        handler.send_header("content-length", "0")
        handler.end_headers()

    liar.answers[TAGS] = ask
    says(liar, "/token", status, body)


def stall(liar):
    liar.answers[MANIFEST] = lambda _handler: time.sleep(2)


ABSENT = "sha256:" + "0" * 64
ENTRY = {"mediaType": IMAGE_MANIFEST, "digest": ABSENT, "size": 1}
NOWHERE = '<http://a:b/>; rel="next"'
OTHER_HOST = '<https://evil.example/v2/x>; rel="next"'
ANSWERS_REFUSED = [
    (
        "another manifest than promised",
        why.ManifestMismatch,
        lambda liar: liar.manifest(liar.bundle.oci_manifest, **{"docker-content-digest": ABSENT}),
    ),
    ("a blob that goes on", why.BlobTooLong, lambda liar: says(liar, wasm(liar), body=bytes(1000))),
    ("another blob", why.BlobMismatch, lambda liar: says(liar, wasm(liar), body=b"\0asm\x0d\0\x01\x01")),
    ("packed otherwise", why.PackedOtherwise, lambda liar: altered(liar, annotations={"more": "x"})),
    ("an image", NotAUnit, lambda liar: altered(liar, artifactType="")),
    (
        "an index in a manifest's place",
        why.ManifestKind,
        lambda liar: altered(liar, mediaType="application/vnd.oci.image.index.v1+json"),
    ),
    ("deep JSON", why.JsonMalformed, lambda liar: liar.manifest(b"[" * 100_000)),
    (
        "another digest's algorithm",
        why.DescriptorInvalid,
        lambda liar: altered(liar, config={"mediaType": "x", "digest": "sha512:00", "size": 1}),
    ),
    ("a layer twice", why.LayersUnnamed, lambda liar: layers(liar, lambda found: [*found, found[0]])),
    (
        "more than a unit holds",
        why.LayersTooMany,
        lambda liar: layers(liar, lambda found: [{**layer, "size": 60 << 20} for layer in found]),
    ),
    (
        "a layer that is too large",
        why.LayerTooLarge,
        lambda liar: layers(liar, lambda found: [{**found[0], "size": 65 << 20}, *found[1:]]),
    ),
    ("a manifest without end", ReplyTooLarge, lambda liar: liar.answers.update({MANIFEST: endless})),
    ("a bomb", why.ReplyCompressed, lambda liar: says(liar, MANIFEST, body=b"x", content_encoding="gzip")),
    ("tags without end", why.TagsEndless, pages),
    (
        "tags of another host",
        why.CredentialsRedirected,
        lambda liar: following(liar, OTHER_HOST),
    ),
    (
        "a next page that is no address",
        why.AddressInvalid,
        lambda liar: following(liar, NOWHERE),
    ),
    (
        "a redirect into the clear",
        why.RedirectUnprotected,
        lambda liar: says(liar, wasm(liar), 307, location="http://203.0.113.7/x"),
    ),
    ("a blob that goes on elsewhere", why.ResumedElsewhere, resumed),
    ("credentials are wanted", why.CredentialsWanted, lambda liar: says(liar, TAGS, 401, www_authenticate="Negotiate")),
    ("it is forbidden", RegistryDenied, lambda liar: says(liar, MANIFEST, 403)),
    ("no token", why.TokenRefused, lambda liar: challenge(liar, 403, b"")),
    ("an empty token", why.TokenMissing, lambda liar: challenge(liar, 200, b"{}")),
    ("a signature of another unit", why.ReferrerElsewhere, lambda liar: referring(liar, b"another")),
    (
        "a signature that is too large",
        why.ReferrerTooLarge,
        lambda liar: referring(liar, liar.bundle.oci_manifest, bytes((4 << 20) + 1)),
    ),
    ("too many signatures", why.ReferrersTooMany, lambda liar: listed(liar, *[ENTRY] * 17)),
    ("the tag is gone", ReferenceUnknown, lambda liar: says(liar, MANIFEST, 404)),
    ("it fails", RegistryFailed, lambda liar: says(liar, MANIFEST, 500)),
    ("it is cut off", RegistryUnreachable, lambda liar: liar.answers.update({MANIFEST: cut(b"{", 50)})),
    ("it drips", why.AnswerDrips, lambda liar: liar.answers.update({MANIFEST: dripping(b" ", BEGUN)})),
    ("it stalls", RegistryTooSlow, stall),
]


@pytest.mark.parametrize(("error", "make"), [case[1:] for case in FILES_REFUSED], ids=[one[0] for one in FILES_REFUSED])
def test_a_file_is_refused(error, make):
    with pytest.raises(RemitError) as refused:
        decode(make())
    assert refused.value.code == error.code


@pytest.mark.parametrize(
    ("error", "work"), [case[1:] for case in BUNDLES_REFUSED], ids=[one[0] for one in BUNDLES_REFUSED]
)
def test_a_bundle_or_a_list_is_refused(error, work):
    with pytest.raises(RemitError) as refused:
        work()
    assert refused.value.code == error.code


@pytest.mark.parametrize(
    ("error", "lie"), [case[1:] for case in ANSWERS_REFUSED], ids=[one[0] for one in ANSWERS_REFUSED]
)
def test_an_answer_is_refused(make_bundle, error, lie):
    liar = Liar(make_bundle("1.2.0"))
    liar.bundle = make_bundle("1.2.0")
    lie(liar)
    # What must end by the clock ends soon; everything else has time on a slow machine.
    patience = 300 if issubclass(error, RegistryTooSlow) else 20_000
    with (
        listening(liar.answers, liar.seen) as place,
        RegistryClient(place, credentials=Credentials(), deadline_ms=patience) as client,
        pytest.raises(RemitError) as refused,
    ):
        client.pull(Reference(place, NAME, version_range="^1"))
    assert refused.value.code == error.code


# ---- what publishers may not do ----


def moved(client, make_bundle, _store):
    client.push(NAME, make_bundle("1.0.0"), "1.0.0")
    client.push(NAME, make_bundle("1.0.0", {"README.md": b"other"}), "1.0.0")


def swapped(client, make_bundle, store):
    client.push(NAME, make_bundle("1.0.0"), "1.0.0")
    digest = sha256(make_bundle("1.0.0").files["redact.wasm"])
    store.blob_path(digest).chmod(0o644)
    store.blob_path(digest).write_bytes(b"other")
    store.read(digest, 1 << 20)


PUBLISHED = [
    ("a tag that moves", VersionTaken, moved),
    ("contents that changed on disk", StoreInvalid, swapped),
]


@pytest.mark.parametrize(("error", "work"), [case[1:] for case in PUBLISHED], ids=[one[0] for one in PUBLISHED])
def test_what_a_publisher_may_not_do(client, make_bundle, store, error, work):
    with pytest.raises(RemitError) as refused:
        work(client, make_bundle, store)
    assert refused.value.code == error.code


def test_no_two_cases_of_the_whole_list_have_the_same_code():
    cases = [*FILES_REFUSED, *BUNDLES_REFUSED, *ANSWERS_REFUSED, *PUBLISHED, *SIGNATURES]
    codes = [case[1].code for case in cases]
    assert {code for code in codes if codes.count(code) > 1} == set()
    assert len(codes) >= 90
