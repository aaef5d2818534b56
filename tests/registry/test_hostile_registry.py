"""A registry that cuts off, redirects, refuses and lists what is none: each thing it may do has its own refusal."""

from __future__ import annotations

import json
import traceback

import pytest

from remit.errors import (
    RedirectRefused,
    ReferenceUnknown,
    RegistryDenied,
    RegistryFailed,
    RegistryUnreachable,
    ReplyInvalid,
)
from remit.registry import Reference, Registry
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials, credentials_for
from remit.registry.oci import sha256
from remit.registry.offering import Offering
from tests.registry.lying import NAME, PLAIN, cut, listening, wasm


def refused(pull, error, match=None):
    with pytest.raises(error, match=match):
        pull()


def test_a_compressed_answer(pull, liar, bundle):
    liar.manifest(bundle.oci_manifest, **{"content-encoding": "gzip"})
    refused(pull, ReplyInvalid, "compressed")


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


# ---- addresses and credentials ----


def test_nobody_listens():
    with (
        RegistryClient(Registry("127.0.0.1:1"), credentials=Credentials()) as client,
        pytest.raises(RegistryUnreachable),
    ):
        client.tags(NAME)


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
