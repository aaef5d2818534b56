"""A registry that lies, stalls, redirects and never ends: each thing it may do has its own refusal, in bounded time."""

from __future__ import annotations

import json
import threading
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from remit.errors import (
    BundleInvalid,
    ContentMismatch,
    NotAUnit,
    RedirectRefused,
    ReferenceUnknown,
    RegistryDenied,
    RegistryFailed,
    RegistryTooSlow,
    RegistryUnreachable,
    ReplyInvalid,
    ReplyTooLarge,
)
from remit.kernel.model import Referrer
from remit.registry import Reference, Registry
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials, credentials_for
from remit.registry.oci import IMAGE_MANIFEST, SIGNATURE, referrer_manifest, sha256
from remit.registry.offering import Offering

NAME = "acme/redact"
PLAIN = {"content-type": "application/octet-stream"}


class Liar:
    """A registry of prepared answers: path → (status, headers, body), or a function of the handler."""

    def __init__(self, bundle):
        self.answers = {f"/v2/{NAME}/tags/list": (200, PLAIN, json.dumps({"tags": ["1.2.0"]}).encode())}
        self.seen = []
        self.manifest(bundle.oci_manifest)
        for data in bundle.files.values():
            self.answers[f"/v2/{NAME}/blobs/{sha256(data)}"] = (200, PLAIN, data)
        self.answers[f"/v2/{NAME}/referrers/{bundle.digest}"] = (200, PLAIN, b'{"schemaVersion":2,"manifests":[]}')

    def manifest(self, data, **headers):
        self.answers[f"/v2/{NAME}/manifests/1.2.0"] = (200, {"content-type": IMAGE_MANIFEST} | headers, data)
        self.answers[f"/v2/{NAME}/referrers/{sha256(data)}"] = (200, PLAIN, b'{"schemaVersion":2,"manifests":[]}')


@contextmanager
def listening(answers, seen):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            seen.append((self.path, self.headers.get("authorization")))
            answer = answers.get(self.path.partition("?")[0], (404, PLAIN, b""))
            if callable(answer):
                answer(self)
                return
            status, headers, body = answer
            self.send_response(status)
            for key, value in ({"content-length": str(len(body))} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
            if headers.get("connection") == "close":
                self.close_connection = True

        do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # the client hangs up on purpose

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Registry(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def bundle(make_bundle):
    return make_bundle("1.2.0")


@pytest.fixture
def liar(bundle):
    return Liar(bundle)


@pytest.fixture
def pull(liar):
    def go(deadline_ms=20_000, credentials=Credentials()):  # noqa: B008 - immutable
        with (
            listening(liar.answers, liar.seen) as place,
            RegistryClient(place, credentials=credentials, deadline_ms=deadline_ms) as client,
        ):
            return client.pull(Reference(place, NAME, version_range="^1"))

    return go


def refused(pull, error, match=None):
    with pytest.raises(error, match=match):
        pull()


def wasm(bundle):
    return f"/v2/{NAME}/blobs/{sha256(bundle.files['redact.wasm'])}"


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


# ---- HTTP ----


def test_a_manifest_without_end(pull, liar):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = endless
    refused(pull, ReplyTooLarge)


def test_a_blob_without_end(pull, liar, bundle):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    liar.answers[wasm(bundle)] = endless
    refused(pull, ContentMismatch)


def test_an_answer_that_drips(pull, liar):
    stop = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        while not stop.wait(0.01):
            handler.wfile.write(b" ")

    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = drip
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)
    stop.set()


def test_a_compressed_answer(pull, liar, bundle):
    liar.manifest(bundle.oci_manifest, **{"content-encoding": "gzip"})
    refused(pull, ReplyInvalid, "compressed")


def cut(data, length):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("content-length", str(length))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def test_a_manifest_that_is_cut_off(pull, liar, bundle):
    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = cut(bundle.oci_manifest[:50], len(bundle.oci_manifest))
    refused(pull, RegistryUnreachable, "cut off")


def test_a_blob_that_is_cut_off_is_taken_up_where_it_broke(pull, liar, bundle):
    data = bundle.files["README.md"]
    asked = []

    def answer(handler):
        asked.append(handler.headers.get("range"))
        if len(asked) == 1:
            cut(data[:4], len(data))(handler)
            return
        handler.send_response(206)
        handler.send_header("content-range", f"bytes 4-{len(data) - 1}/{len(data)}")
        handler.send_header("content-length", str(len(data) - 4))
        handler.end_headers()
        handler.wfile.write(data[4:])

    liar.answers[f"/v2/{NAME}/blobs/{sha256(data)}"] = answer
    assert pull().files["README.md"] == data
    assert asked == [None, "bytes=4-"]


def test_a_blob_that_is_cut_off_every_time(pull, liar, bundle):
    data = bundle.files["README.md"]
    liar.answers[f"/v2/{NAME}/blobs/{sha256(data)}"] = cut(data[:1], len(data))
    refused(pull, RegistryUnreachable, "cut off")


def test_a_resumption_elsewhere_than_asked(pull, liar, bundle):
    data = bundle.files["README.md"]
    asked = []

    def answer(handler):
        asked.append(1)
        if len(asked) == 1:
            cut(data[:4], len(data))(handler)
            return
        handler.send_response(206)
        handler.send_header("content-range", f"bytes 2-{len(data) - 1}/{len(data)}")
        handler.send_header("content-length", "0")
        handler.end_headers()

    liar.answers[f"/v2/{NAME}/blobs/{sha256(data)}"] = answer
    refused(pull, RegistryFailed)


@pytest.mark.parametrize(
    "location",
    [
        "http://203.0.113.7/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://localhost.evil.example/",
        "",
        "//[",
        "x:",
    ],
)
def test_a_redirect_to_where_nothing_protects(pull, liar, bundle, location):
    liar.answers[wasm(bundle)] = (307, {"location": location}, b"")
    with pytest.raises((RedirectRefused, ReplyInvalid)):
        pull()


def test_redirects_in_a_circle(pull, liar, bundle):
    liar.answers[wasm(bundle)] = (307, {"location": wasm(bundle)}, b"")
    refused(pull, RedirectRefused)


def test_a_redirect_to_another_host_takes_no_credentials_along(pull, liar, bundle):
    seen = []
    elsewhere = {"/blob": (200, PLAIN, bundle.files["redact.wasm"])}
    with listening(elsewhere, seen) as other:
        liar.answers[wasm(bundle)] = (307, {"location": f"http://{other.host}/blob"}, b"")
        assert pull(credentials=Credentials(bearer="s3cret")).digest == bundle.digest
    assert seen == [("/blob", None)]
    assert ("Bearer s3cret" in {sent for _, sent in liar.seen}) is True


def test_a_list_of_tags_without_end(pull, liar):
    counter = iter(range(10**9))

    def page(handler):
        body = b'{"tags":["0.0.1"]}'
        handler.send_response(200)
        handler.send_header("link", f'</v2/{NAME}/tags/list?last={next(counter)}>; rel="next"')
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    liar.answers[f"/v2/{NAME}/tags/list"] = page
    refused(pull, ReplyInvalid, "no end")


def test_a_list_of_tags_that_goes_on_elsewhere(pull, liar):
    liar.answers[f"/v2/{NAME}/tags/list"] = (
        200,
        {"link": '<https://evil.example/v2/x>; rel="next"'},
        b'{"tags":["1.2.0"]}',
    )
    refused(pull, RedirectRefused)


@pytest.mark.parametrize("body", [b"[]", b'{"tags":[1]}', b'{"tags":{}}', b"[" * 100_000])
def test_a_list_of_tags_that_is_none(pull, liar, body):
    liar.answers[f"/v2/{NAME}/tags/list"] = (200, PLAIN, body)
    refused(pull, ReplyInvalid)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, RegistryDenied),
        (403, RegistryDenied),
        (404, ReferenceUnknown),
        (429, RegistryFailed),
        (500, RegistryFailed),
    ],
)
def test_a_refusal_says_what_the_registry_said(pull, liar, status, error):
    body = b'{"errors":[{"code":"DENIED","message":"not for you"}]}'
    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = (status, PLAIN, body)
    refused(pull, error)


@pytest.mark.parametrize(
    ("challenge", "error"),
    [
        ('Bearer realm="http://203.0.113.7/token"', RedirectRefused),
        ("Bearer", RedirectRefused),
        ("Negotiate", RegistryDenied),
        ("", RegistryDenied),
    ],
)
def test_a_challenge_that_is_not_answered(pull, liar, challenge, error):
    liar.answers[f"/v2/{NAME}/tags/list"] = (401, {"www-authenticate": challenge}, b"")
    refused(pull, error)


@pytest.mark.parametrize("body", [b"{}", b'{"token":"a\\r\\nx: y"}', b'{"token":1}', b"["])
def test_a_token_that_is_none(pull, liar, body):
    def challenge(handler):
        handler.send_response(401)
        handler.send_header("www-authenticate", f'Bearer realm="http://{handler.headers["host"]}/token"')
        handler.send_header("content-length", "0")
        handler.end_headers()

    liar.answers[f"/v2/{NAME}/tags/list"] = challenge
    liar.answers["/token"] = (200, PLAIN, body)
    refused(pull, ReplyInvalid)


def test_a_token_is_asked_for_and_used(pull, liar, bundle):
    def guarded(answer):
        def check(handler):
            if handler.headers.get("authorization") == "Bearer abc":
                status, headers, body = answer
            else:
                realm = f'Bearer realm="http://{handler.headers["host"]}/token",service="reg"'
                status, headers, body = 401, {"www-authenticate": realm}, b""
            handler.send_response(status)
            for key, value in ({"content-length": str(len(body))} | headers).items():
                handler.send_header(key, value)
            handler.end_headers()
            handler.wfile.write(body)

        return check

    liar.answers = {path: guarded(answer) for path, answer in liar.answers.items()}
    liar.answers["/token"] = (200, PLAIN, b'{"token":"abc"}')
    assert pull().digest == bundle.digest
    (asked,) = {path for path, _ in liar.seen if path.startswith("/token")}
    assert "scope=repository%3Aacme%2Fredact%3Apull" in asked
    assert "service=reg" in asked


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


# ---- the list of units ----


def offering(place):
    return Offering(place, lambda: RegistryClient(place, credentials=Credentials()))


@pytest.mark.parametrize(
    "answer",
    [(200, {"content-type": "text/html; charset=utf-8"}, b"<html>"), (403, PLAIN, b""), (405, PLAIN, b"")],
)
def test_a_registry_without_a_list_is_taken_as_it_is(liar, answer):
    liar.answers["/units.jsonl"] = answer
    with listening(liar.answers, liar.seen) as place:
        wanted = Reference(place, NAME, version_range="^1")
        assert offering(place).standing(wanted) == wanted


@pytest.mark.parametrize("body", [b"{}\n", b"[" * 100_000 + b"\n", b'{"kind":"published","unit":1}\n', b"\xff\n"])
def test_a_list_that_is_malformed_is_not_passed_over(liar, body):
    liar.answers["/units.jsonl"] = (200, PLAIN, body)
    with listening(liar.answers, liar.seen) as place, pytest.raises(ReplyInvalid):
        offering(place).standing(Reference(place, NAME))


# ---- what is sent ----


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


def test_nobody_listens():
    with (
        RegistryClient(Registry("127.0.0.1:1"), credentials=Credentials()) as client,
        pytest.raises(RegistryUnreachable),
    ):
        client.tags(NAME)


# ---- what ties up whoever asks ----


def test_a_head_that_drips_ends_with_the_deadline(pull, liar):
    stop = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-more: ")
        while not stop.wait(0.02):
            handler.wfile.write(b"x")

    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = drip
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)
    stop.set()


def test_interim_responses_without_end_do_too(pull, liar):
    stop = threading.Event()

    def interim(handler):
        while not stop.wait(0.02):
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    liar.answers[f"/v2/{NAME}/manifests/1.2.0"] = interim
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)
    stop.set()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("words", ["a" * 60_000, 'realm="' + "a" * 60_000, 'a="",' * 12_000])
def test_a_challenge_that_is_costly_to_read(pull, liar, words):
    liar.answers[f"/v2/{NAME}/tags/list"] = (401, {"www-authenticate": f"Bearer {words}"}, b"")
    refused(pull, RedirectRefused)


@pytest.mark.parametrize("host", ["xn--", "xn--a", "xn--zzzzzz99999"])
def test_an_address_that_is_no_name_is_refused_with_a_code(pull, liar, bundle, host):
    liar.answers[wasm(bundle)] = (307, {"location": f"https://{host}/x"}, b"")
    with pytest.raises((RedirectRefused, RegistryUnreachable)):
        pull()
    liar.answers[f"/v2/{NAME}/tags/list"] = (401, {"www-authenticate": f'Bearer realm="https://{host}/x"'}, b"")
    refused(pull, ReplyInvalid)
    liar.answers[f"/v2/{NAME}/tags/list"] = (200, {"link": f'<https://{host}/x>; rel="next"'}, b'{"tags":[]}')
    refused(pull, ReplyInvalid)


@pytest.mark.parametrize("host", ["[::::]", "[1:2:3]", "999.999.999.999", "xn--a"])
def test_a_registry_whose_address_is_none_is_refused_with_a_code(host):
    with pytest.raises(ReplyInvalid, match="no registry"):
        RegistryClient(Registry(host), credentials=Credentials())


@pytest.mark.parametrize("secret", ["s3cret\n", "s3cret\r\nx: y", "s3cret\0"])
def test_credentials_that_cannot_be_sent_are_in_no_error(pull, secret):
    with pytest.raises(RegistryUnreachable) as caught:
        pull(credentials=Credentials(bearer=secret))
    told = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in told.replace(repr(secret), "")


@pytest.mark.parametrize("token", ["s3cret\n", "schlüssel"])
def test_a_kept_token_that_cannot_be_sent_counts_as_none(monkeypatch, tmp_path, token):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"reg.example": {"registrytoken": token}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials_for("reg.example") == Credentials()


@pytest.mark.parametrize("at_ms", [-1, 10**15, 10**30])
def test_a_list_with_a_time_that_is_none(liar, at_ms):
    line = {"kind": "published", "unit": NAME, "version": "1.0.0", "digest": "sha256:0", "at_ms": at_ms}
    liar.answers["/units.jsonl"] = (200, PLAIN, json.dumps(line).encode() + b"\n")
    with (
        listening(liar.answers, liar.seen) as place,
        RegistryClient(place, credentials=Credentials()) as client,
        pytest.raises(ReplyInvalid),
    ):
        client.log()
