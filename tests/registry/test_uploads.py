"""Uploads to the built-in registry: in chunks and at once, bounded, and swept; and what a client makes of another's."""

from __future__ import annotations

import os
import threading

import httpx
import pytest

from remit.errors import RedirectRefused, ReplyInvalid
from remit.errors.refusals import UploadsTooMany
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.oci import sha256
from remit.registry.server import application
from remit.registry.users import User, Users
from tests.registry.lying import NAME, listening


def code(reply):
    return reply.json()["errors"][0]["code"]


@pytest.mark.parametrize("chunks", [[b"hello"], [b"he", b"llo"], [b"h", b"e", b"l", b"lo"]])
def test_a_blob_in_chunks(http, chunks):
    begun = http.post(f"/v2/{NAME}/blobs/uploads/")
    assert begun.status_code == 202
    where, sent = begun.headers["location"], 0
    for chunk in chunks:
        span = f"{sent}-{sent + len(chunk) - 1}"
        reply = http.patch(where, content=chunk, headers={"content-range": span})
        sent += len(chunk)
        assert (reply.status_code, reply.headers["range"]) == (202, f"0-{sent - 1}")
        where = reply.headers["location"]
    assert http.get(where).headers["range"] == f"0-{sent - 1}"
    done = http.put(where, params={"digest": sha256(b"hello")})
    assert done.status_code == 201
    fetched = http.get(done.headers["location"])
    assert (fetched.content, fetched.headers["docker-content-digest"]) == (b"hello", sha256(b"hello"))


def test_a_chunk_out_of_order_is_refused(http):
    where = http.post(f"/v2/{NAME}/blobs/uploads/").headers["location"]
    assert http.patch(where, content=b"llo", headers={"content-range": "2-4"}).status_code == 416
    assert http.patch(where, content=b"he", headers={"content-range": "0-1"}).status_code == 202


def test_an_upload_that_is_not_its_digest_is_refused_and_gone(http):
    where = http.post(f"/v2/{NAME}/blobs/uploads/").headers["location"]
    reply = http.put(where, params={"digest": sha256(b"other")}, content=b"hello")
    assert (reply.status_code, code(reply)) == (400, "DIGEST_INVALID")
    assert http.get(where).status_code == 404


def test_what_is_still_being_sent_cannot_become_contents_and_change_then(http, store):
    where, first, go_on = (
        http.post(f"/v2/{NAME}/blobs/uploads/").headers["location"],
        b"x" * (1 << 20),
        threading.Event(),
    )

    def parts():
        yield first
        go_on.wait()
        yield b"more"

    replies = []
    sending = threading.Thread(target=lambda: replies.append(httpx.patch(f"{http.base_url}{where}", content=parts())))
    sending.start()
    try:
        while http.get(where).headers.get("range") != f"0-{len(first) - 1}":
            assert sending.is_alive()
        early = http.put(where, params={"digest": sha256(first)})
        beside = http.patch(where, content=b"other")
    finally:
        go_on.set()
        sending.join()
    assert [(one.status_code, code(one)) for one in (early, beside)] == [(409, "BLOB_UPLOAD_INVALID")] * 2
    assert [one.status_code for one in replies] == [202]
    assert http.put(where, params={"digest": sha256(first + b"more")}).status_code == 201
    kept = {path.name: path.read_bytes() for path in (store.root / "blobs" / "sha256").iterdir()}
    assert kept == {sha256(first + b"more").removeprefix("sha256:"): first + b"more"}


def test_what_uploads_left_behind_is_swept_after_a_day(store, http):
    fresh, stale = (http.post(f"/v2/{NAME}/blobs/uploads/").headers["docker-upload-uuid"] for _ in range(2))
    os.utime(store.root / "uploads" / stale, (0, 0))
    store.uploads.sweep()
    assert [path.name for path in (store.root / "uploads").iterdir()] == [fresh]


def begun(http, **options):
    return http.post(f"/v2/{NAME}/blobs/uploads/", **options)


def test_a_writer_has_so_many_uploads_open_and_no_more(store, http):
    assert {begun(http).status_code for _ in range(64)} == {202}
    refused = begun(http)
    assert (refused.status_code, code(refused)) == (429, "TOOMANYREQUESTS")
    assert len(list((store.root / "uploads").iterdir())) == 64


def test_of_too_many_uploads_the_one_that_nobody_adds_to_goes_first(store, http):
    first, second, *others = (begun(http).headers["location"] for _ in range(64))
    now = store.clock.now_ms() / 1000
    for where, age in ((first, 700), (second, 1_000)):
        os.utime(store.root / "uploads" / where.rpartition("/")[2], (now - age, now - age))
    with store.uploads.growing(second.rpartition("/")[2]):  # the oldest is in use
        assert begun(http).status_code == 202
    assert [http.get(where).status_code for where in (first, second, *others)] == [404] + [204] * 63


def test_all_writers_together_have_a_bound_too(store):
    for writer in range(16):
        for _ in range(64):
            store.uploads.begin(f"writer{writer}")
    with pytest.raises(UploadsTooMany, match="in all"):
        store.uploads.begin("another")


def test_one_writers_uploads_neither_fill_nor_show_anothers(store, serve):
    users = Users({name: User(sha256(name.encode()), ("*",)) for name in ("ann", "bob")})
    with httpx.Client(base_url=serve(application(store, users)).base, trust_env=False) as http:
        ann, bob = ({"headers": {"authorization": f"Bearer {name}"}} for name in ("ann", "bob"))
        where = [begun(http, **ann).headers["location"] for _ in range(64)]
        assert (begun(http, **ann).status_code, begun(http, **bob).status_code) == (429, 202)
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            reply = http.request(method, where[0], params={"digest": sha256(b"")}, **bob)
            assert (reply.status_code, code(reply) if reply.content else "") == (404, "BLOB_UPLOAD_UNKNOWN")
        assert http.delete(where[0], **ann).status_code == 204
        assert begun(http, **ann).status_code == 202


def test_an_upload_of_a_name_that_no_file_can_have_is_not_found(http):
    where = begun(http).headers["location"]
    assert http.patch(where + "a" * 300, content=b"x").status_code == 404


@pytest.mark.parametrize("digest", ["sha256:short", "md5:0", sha256(b"something else")])
def test_an_upload_in_one_request_that_fails_leaves_nothing(store, http, digest):
    assert begun(http, params={"digest": digest}, content=b"x").status_code == 400
    assert list((store.root / "uploads").iterdir()) == []


# ---- a registry that wants them elsewhere ----


def test_an_upload_that_goes_on_elsewhere(liar, bundle):
    liar.answers = {f"/v2/{NAME}/blobs/uploads/": (202, {"location": "https://evil.example/up"}, b"")}
    with (
        listening(liar.answers, liar.seen) as place,
        RegistryClient(place, credentials=Credentials()) as client,
        pytest.raises(RedirectRefused),
    ):
        client.push(NAME, bundle, "1.2.0")


def test_an_upload_without_a_place(liar, bundle):
    liar.answers = {f"/v2/{NAME}/blobs/uploads/": (202, {}, b"")}
    with (
        listening(liar.answers, liar.seen) as place,
        RegistryClient(place, credentials=Credentials()) as client,
        pytest.raises(ReplyInvalid),
    ):
        client.push(NAME, bundle, "1.2.0")
