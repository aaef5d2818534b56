"""The built-in registry as other OCI clients see it: the distribution specification's checks, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from remit.errors import ReferenceUnknown, StoreInvalid, VersionTaken
from remit.registry import Reference, Store
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.index import Entry, fold, read_log, search
from remit.registry.intake import repair, withdraw
from remit.registry.oci import EMPTY, IMAGE_INDEX, IMAGE_MANIFEST, TITLE, sha256
from remit.schemas import formats

NAME = "tests/conformance"


def push_blob(http, data, name=NAME):
    reply = http.post(f"/v2/{name}/blobs/uploads/", params={"digest": sha256(data)}, content=data)
    assert reply.status_code == 201
    return sha256(data)


def manifest_of(data, **more):
    body = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": {"mediaType": EMPTY, "digest": sha256(b"{}"), "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": sha256(data), "size": len(data)}],
    } | more
    return json.dumps(body).encode()


def push_manifest(http, reference, data, name=NAME, media_type=IMAGE_MANIFEST):
    return http.put(f"/v2/{name}/manifests/{reference}", content=data, headers={"content-type": media_type})


@pytest.fixture
def image(http):
    push_blob(http, b"{}")
    push_blob(http, b"hello")
    return manifest_of(b"hello")


def code(reply):
    return reply.json()["errors"][0]["code"]


def test_it_says_that_it_is_a_registry(http):
    assert http.get("/v2/").status_code == 200


def test_a_blob_is_mounted_from_where_it_is(http):
    digest = push_blob(http, b"shared", "tests/one")
    query = {"mount": digest, "from": "tests/one"}
    assert http.post("/v2/tests/two/blobs/uploads/", params=query).status_code == 201
    assert http.head(f"/v2/tests/two/blobs/{digest}").headers["content-length"] == "6"
    other = {"mount": sha256(b"absent"), "from": "tests/one"}
    assert http.post("/v2/tests/two/blobs/uploads/", params=other).status_code == 202


def test_a_blob_is_offered_only_by_repositories_that_have_it(http):
    digest = push_blob(http, b"private", "tests/one")
    reply = http.get(f"/v2/tests/two/blobs/{digest}")
    assert (reply.status_code, code(reply)) == (404, "BLOB_UNKNOWN")


def test_a_part_of_a_blob(http):
    digest = push_blob(http, b"hello")
    reply = http.get(f"/v2/{NAME}/blobs/{digest}", headers={"range": "bytes=2-"})
    assert (reply.status_code, reply.content) == (206, b"llo")


def test_a_manifest_by_tag_and_digest(http, image):
    reply = push_manifest(http, "latest", image)
    assert (reply.status_code, reply.headers["docker-content-digest"]) == (201, sha256(image))
    for reference in ("latest", sha256(image)):
        fetched = http.get(f"/v2/{NAME}/manifests/{reference}")
        assert (fetched.content, fetched.headers["content-type"]) == (image, IMAGE_MANIFEST)
        head = http.head(f"/v2/{NAME}/manifests/{reference}")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(image)), b"")


@pytest.mark.parametrize(
    ("reference", "body", "media_type", "status", "expected"),
    [
        ("latest", manifest_of(b"absent"), IMAGE_MANIFEST, 404, "MANIFEST_BLOB_UNKNOWN"),
        ("latest", b"{", IMAGE_MANIFEST, 400, "MANIFEST_INVALID"),
        ("latest", b"[" * 100_000, IMAGE_MANIFEST, 400, "MANIFEST_INVALID"),
        ("latest", b"{}", "text/html", 400, "MANIFEST_INVALID"),
        ("latest", b" " * (257 << 10), IMAGE_MANIFEST, 413, "SIZE_INVALID"),
        (".hidden", b"{}", IMAGE_MANIFEST, 400, "TAG_INVALID"),
        (sha256(b"x"), b"{}", IMAGE_MANIFEST, 400, "DIGEST_INVALID"),
        ("sha512:00", b"{}", IMAGE_MANIFEST, 400, "DIGEST_INVALID"),
    ],
    ids=["absent", "cut", "deep", "type", "long", "tag", "digest", "algorithm"],
)
def test_a_manifest_that_is_refused(http, reference, body, media_type, status, expected):
    push_blob(http, b"{}")
    reply = push_manifest(http, reference, body, media_type=media_type)
    assert (reply.status_code, code(reply)) == (status, expected)


@pytest.mark.parametrize("name", ["..", "a/../b", "A", "_tags", "a/_tags", "a//b", "a" * 300])
def test_a_name_that_is_none_reaches_nothing(http, name):
    reply = http.get(f"/v2/{name.replace('..', '%2e%2e')}/tags/list")
    assert reply.status_code in (400, 404)


def test_tags_come_in_pages(http, image):
    tags = [f"t{number:02}" for number in range(5)]
    for tag in tags:
        push_manifest(http, tag, image)
    found, where = [], f"/v2/{NAME}/tags/list?n=2"
    while where:
        reply = http.get(where)
        found.append(reply.json()["tags"])
        where = reply.links.get("next", {}).get("url")
    assert found == [tags[:2], tags[2:4], tags[4:]]
    assert http.get(f"/v2/{NAME}/tags/list?last=t03").json() == {"name": NAME, "tags": ["t04"]}
    assert http.get(f"/v2/{NAME}/tags/list?n=0").json()["tags"] == []
    assert http.get("/v2/tests/unknown/tags/list").status_code == 404


def test_referrers_and_their_filter(http, image):
    push_manifest(http, "latest", image)
    subject = {"mediaType": IMAGE_MANIFEST, "digest": sha256(image), "size": len(image)}
    for kind in ("application/vnd.a+json", "application/vnd.b+json"):
        body = manifest_of(b"hello", subject=subject, artifactType=kind)
        assert push_manifest(http, sha256(body), body).headers["oci-subject"] == sha256(image)
    everything = http.get(f"/v2/{NAME}/referrers/{sha256(image)}")
    assert everything.headers["content-type"] == IMAGE_INDEX
    assert len(everything.json()["manifests"]) == 2
    one = http.get(f"/v2/{NAME}/referrers/{sha256(image)}?artifactType=application/vnd.a+json")
    assert one.headers["oci-filters-applied"] == "artifactType"
    assert [entry["artifactType"] for entry in one.json()["manifests"]] == ["application/vnd.a+json"]
    assert http.get(f"/v2/{NAME}/referrers/{sha256(b'x')}").json()["manifests"] == []


def test_what_no_version_needs_can_be_deleted(http, image):
    push_manifest(http, "latest", image)
    assert http.delete(f"/v2/{NAME}/blobs/{sha256(b'hello')}").status_code == 405
    assert http.delete(f"/v2/{NAME}/manifests/latest").status_code == 202
    assert http.get(f"/v2/{NAME}/manifests/latest").status_code == 404
    assert http.delete(f"/v2/{NAME}/manifests/{sha256(image)}").status_code == 202
    assert http.get(f"/v2/{NAME}/manifests/{sha256(image)}").status_code == 404
    assert http.delete(f"/v2/{NAME}/blobs/{sha256(b'hello')}").status_code == 202
    assert http.get(f"/v2/{NAME}/blobs/{sha256(b'hello')}").status_code == 404


def test_a_version_neither_moves_nor_goes(http, image):
    push_manifest(http, "1.0.0", image)
    other = manifest_of(b"hello", annotations={"other": "one"})
    reply = push_manifest(http, "1.0.0", other)
    assert (reply.status_code, code(reply)) == (409, "DENIED")
    for reference in ("1.0.0", sha256(image)):
        assert http.delete(f"/v2/{NAME}/manifests/{reference}").status_code == 405
    assert http.get(f"/v2/{NAME}/manifests/1.0.0").content == image
    assert push_manifest(http, "latest", image).status_code == 201
    assert push_manifest(http, "latest", other).status_code == 201


def test_a_page_elsewhere_that_was_pointed_at_this_machine_gets_nothing(http):
    assert http.get("/v2/", headers={"host": "evil.example"}).status_code == 403


def test_a_page_elsewhere_cannot_write(http):
    reply = http.post(f"/v2/{NAME}/blobs/uploads/", headers={"origin": "https://evil.example"})
    assert (reply.status_code, code(reply)) == (403, "DENIED")


# ---- units ----


@pytest.mark.parametrize("change", ["repository", "version", "files"])
def test_a_unit_that_is_not_what_it_says_is_refused(client, make_bundle, change):
    bundle = make_bundle("1.0.0")
    name, version = "acme/redact", "1.0.0"
    if change == "repository":
        name = "globex/redact"
    if change == "version":
        version = "2.0.0"
    if change == "files":
        bundle = type(bundle)(sha256(bundle.oci_manifest + b" "), bundle.oci_manifest + b" ", bundle.files, "")
    with pytest.raises(Exception, match=r"belong|not the unit's version|not packed"):
        client.push(name, bundle, version)
    with pytest.raises(ReferenceUnknown):
        client.manifest(name, version)


def test_a_unit_that_names_more_than_one_may_hold_is_refused_unread(http, store, monkeypatch):
    push_blob(http, b"{}")
    large = push_blob(http, bytes(1 << 20))
    layer = {"mediaType": "application/octet-stream", "digest": large, "size": 1}
    layers = [layer | {"annotations": {TITLE: f"file{number}"}} for number in range(1_000)]
    body = manifest_of(b"hello", artifactType=formats.BUNDLE, layers=layers)
    read = []
    monkeypatch.setattr(store, "read", lambda digest, _limit: read.append(digest))
    reply = push_manifest(http, "1.0.0", body)
    assert (reply.status_code, code(reply)) == (400, "MANIFEST_INVALID")
    assert read == []


def test_a_unit_whose_file_is_larger_than_it_says_is_refused(http):
    push_blob(http, b"{}")
    large = push_blob(http, bytes(1 << 20))
    layer = {"mediaType": "application/octet-stream", "digest": large, "size": 1, "annotations": {TITLE: "unit.toml"}}
    reply = push_manifest(http, "1.0.0", manifest_of(b"hello", artifactType=formats.BUNDLE, layers=[layer]))
    assert (reply.status_code, code(reply)) == (400, "MANIFEST_INVALID")


def test_two_processes_publish_one_version_and_one_wins(registry, make_bundle, tmp_path, store):
    script = """
import sys
from pathlib import Path
from remit.errors import VersionTaken
from remit.registry import Registry, decode
from remit.registry.client import RegistryClient
with RegistryClient(Registry(sys.argv[1])) as client:
    bundle = decode(Path(sys.argv[2]).read_bytes())
    sys.stdin.readline()
    try:
        client.push("acme/redact", bundle, "1.0.0")
    except VersionTaken as error:
        sys.exit(9)
"""
    from remit.registry import encode  # noqa: PLC0415 - used here only

    running = []
    for index in range(2):
        path = tmp_path / f"{index}.unit"
        path.write_bytes(encode(make_bundle("1.0.0", {"README.md": str(index).encode()})))
        words = [sys.executable, "-c", script, registry.host, str(path)]
        running.append(subprocess.Popen(words, stdin=subprocess.PIPE))
    for process in running:
        process.stdin.write(b"\n")
        process.stdin.close()
    assert sorted(process.wait() for process in running) == [0, 9]
    assert len(read_log(store.log_path.read_bytes())) == 1


def test_of_many_at_once_exactly_one_links_the_tag(store):
    digests = [store.put(NAME, str(number).encode()) for number in range(8)]
    won, lost = [], []

    def attempt(digest):
        try:
            store.tag(NAME, "1.0.0", digest)
            won.append(digest)
        except VersionTaken:
            lost.append(digest)

    threads = [threading.Thread(target=attempt, args=(digest,)) for digest in digests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost), store.tagged(NAME, "1.0.0")) == (1, 7, won[0])


class Crash(BaseException):
    """The machine stops here."""


@pytest.mark.parametrize("steps", range(0, 32, 2))
def test_a_publisher_that_dies_leaves_nothing_half_visible(registry, make_bundle, monkeypatch, steps):
    left = [steps]
    bundle = make_bundle("1.0.0")
    with RegistryClient(registry, credentials=Credentials()) as client:
        send = client._http.send

        def dying(*words, **options):
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return send(*words, **options)

        monkeypatch.setattr(client._http, "send", dying)
        try:
            client.push("acme/redact", bundle, "1.0.0")
            died = False
        except Crash:
            died = True
    with RegistryClient(registry, credentials=Credentials()) as client:
        try:
            seen = client.pull(Reference(registry, "acme/redact", tag="1.0.0")).digest
        except ReferenceUnknown:
            seen = ""
            assert died
        assert seen in ("", bundle.digest)
        assert [entry.version for entry in (client.log())] == (["1.0.0"] if seen else [])
        client.push("acme/redact", bundle, "1.0.0")
        assert client.pull(Reference(registry, "acme/redact", tag="1.0.0")).digest == bundle.digest


# ---- the list ----


def test_what_a_crash_kept_out_of_the_list_is_mended(client, make_bundle, store):
    client.push("acme/redact", make_bundle("1.0.0"), "1.0.0")
    whole = store.log_path.read_bytes()
    store.log_path.write_bytes(whole[:-5])
    assert repair(store) == ["acme/redact:1.0.0 was not in the list"]
    assert [entry.version for entry in read_log(store.log_path.read_bytes())] == ["1.0.0"]
    assert repair(store) == []


def test_a_withdrawn_version_is_shown_and_not_found(client, make_bundle, store):
    for version in ("1.0.0", "1.1.0"):
        client.push("acme/redact", make_bundle(version), version)
    withdraw(store, "acme/redact", "1.1.0", "leaks", "keeper", kill=False)
    offer = fold(client.log())["acme/redact"]
    assert offer.best.version == "1.0.0"
    assert [(release.version, release.withdrawn) for release in offer.releases] == [("1.1.0", "yanked"), ("1.0.0", "")]
    withdraw(store, "acme/redact", "1.0.0", "worse", "keeper", kill=True)
    assert search(fold(client.log()).values(), "redact") == []
    with pytest.raises(ReferenceUnknown):
        withdraw(store, "acme/redact", "9.0.0", "", "keeper", kill=False)


def test_a_withdrawal_is_for_the_very_same_digest():
    lines = [
        Entry("published", "a/b", "1.0.0", "sha256:1", 1),
        Entry("published", "a/b", "1.0.0", "sha256:2", 2),
        Entry("yanked", "a/b", "1.0.0", "sha256:2", 3),
    ]
    assert [(release.digest, release.withdrawn) for release in fold(lines)["a/b"].releases] == [("sha256:1", "")]


def test_a_folder_with_something_else_is_no_registry(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreInvalid):
        Store(tmp_path)


def test_changed_contents_are_never_served(client, make_bundle, store):
    bundle = make_bundle("1.0.0")
    client.push("acme/redact", bundle, "1.0.0")
    store.blob_path(bundle.digest).write_bytes(b"{}")
    with pytest.raises(StoreInvalid):
        store.read(bundle.digest, 1 << 20)
    with pytest.raises(Exception, match="500"):
        client.manifest("acme/redact", bundle.digest)


# ---- pages ----


def test_the_pages_escape_what_units_say(client, http, make_bundle):
    hostile = b"<script>alert(1)</script>"
    bundle = make_bundle("1.0.0", {"README.md": hostile})
    client.push("acme/redact", bundle, "1.0.0")
    page = http.get("/units/acme/redact")
    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<b>" not in http.get("/", params={"q": "<b>"}).text
    assert "acme/redact" in http.get("/", params={"q": "redact"}).text
    assert http.get("/units/acme/none").status_code == 404
