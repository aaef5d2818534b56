"""Every page answers under a strict policy, tells nobody what they may not read, and shows text as text."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from remit.host import Kernel, build_unit
from remit.kernel.model import Caller
from remit.plugins.dashboard import forms, static
from remit.plugins.dashboard.changes import CHANGES
from remit.plugins.dashboard.pages import PAGES
from remit.units import Terms
from tests.plugins.dashboard.conftest import UNITS
from tests.plugins.http.conftest import OWNER, serving

FOLDER = Path(static.__file__).parent
PATHS = [
    one.path.format(publisher="acme", name="counter" if "units" in one.path else "assistant", number=1, id="last")
    for one in PAGES
]  # fmt: skip
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{ 7 * 7 }}"


@pytest.fixture
def client(standing):
    """A client with the owner's token in a cookie, as a browser keeps it."""
    with httpx.Client(base_url=standing[1], cookies={"remit_token": OWNER}, timeout=30) as http:
        yield http


@pytest.fixture
def own_client(shown):
    """A client of a home that a test changes."""
    with httpx.Client(base_url=shown[1], cookies={"remit_token": OWNER}, timeout=30) as http:
        yield http


@pytest.mark.parametrize("path", [path for path in PATHS if "documents/" not in path])
def test_a_page_answers_under_a_policy_that_allows_nothing_inline(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))|\sstyle=|\son[a-z]+=", answer.text)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_for_those_who_signed_in(standing, path):
    answer = httpx.get(standing[1] + path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert httpx.get(standing[1] + path).status_code == 401


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_to_come_from_a_page_of_ours(client, name):
    answer = client.post(f"/ui/{name}", data={"a": "b"}, headers={"origin": "https://evil.example"})
    assert answer.json()["code"] == "RM-8011"


def test_nobody_is_signed_in_by_another_page(standing):
    answer = httpx.post(f"{standing[1]}/ui/login", data={"token": OWNER}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_in_keeps_the_token_where_scripts_cannot_read_it(standing):
    answer = httpx.post(f"{standing[1]}/ui/login", data={"token": OWNER}, headers={"origin": standing[1]})
    assert answer.status_code == 303
    assert {"httponly", "samesite=strict", "path=/"} <= {
        part.strip().lower() for part in answer.headers["set-cookie"].split(";")
    }


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_is_for_tls_alone_where_the_proxy_of_this_host_spoke_tls(standing, scheme):
    ours = standing[1].replace("http", scheme, 1)
    headers = {"origin": ours, "x-forwarded-proto": scheme}
    answer = httpx.post(f"{standing[1]}/ui/login", data={"token": OWNER}, headers=headers)
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert ("secure" in parts) == (scheme == "https")


@pytest.mark.parametrize("token", ["", " ", "a b", "a;b", "a\nset-cookie: x=y", "é", "x" * 201])
def test_what_cannot_be_a_token_is_not_kept(standing, token):
    answer = httpx.post(f"{standing[1]}/ui/login", data={"token": token}, headers={"origin": standing[1]})
    assert (answer.headers["location"], "set-cookie" in answer.headers) == ("/login?failed", False)


def test_what_others_say_is_shown_as_text(shown, own_client):
    kernel, _ = shown
    kernel.emit("some.topic", {"words": HOSTILE}, caller=Caller(correlation="run-1"))
    for path in ("/", "/ui/events", "/ui/episodes", "/ui/episodes/run-1", f"/ui/events?prefix={HOSTILE}"):
        text = own_client.get(path).text
        assert "<script>alert" not in text
        assert "<img" not in text


@pytest.mark.parametrize(
    "path",
    ["/ui/units/none/none", "/ui/generations/99", "/ui/generations/x", "/ui/episodes/none", "/ui/documents/none",
     "/ui/static/../../pages.py", "/ui/static/SHA256SUMS", "/ui/panels/none"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("name", "form", "code"),
    [
        ("apply", {"digest": "sha256:0"}, "RM-6"),
        ("call", {"action": "none/none:x"}, "RM-7"),
        ("call", {"action": "acme/counter:increment", "json": "{"}, "RM-8006"),
        ("call", {"action": "acme/counter:increment", "json": "NaN"}, "RM-8006"),
        ("answer", {"consent": "none", "given": "yes"}, "RM-4"),
        ("revoke", {}, "RM-8006"),
        ("revoke", {"grant": "none"}, "RM-"),
        ("why", {"unit": "none/none", "action": "net:http", "resource": "x"}, "RM-4"),
        ("replay", {"name": "none"}, "RM-"),
    ],
)
def test_what_is_refused_is_shown_with_its_code(standing, client, name, form, code):
    answer = client.post(f"/ui/{name}", data=form, headers={"origin": standing[1]})
    assert (answer.status_code, "alert" in answer.text) == (200, True)
    assert f"<strong>{code}" in answer.text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1&" * 2_000, b"=;=&&&"])
def test_a_form_that_cannot_be_read_is_refused(standing, client, body):
    headers = {"origin": standing[1], "content-type": "application/x-www-form-urlencoded"}
    assert client.post("/ui/plan", content=body, headers=headers).status_code == 400


def test_a_form_without_end_is_cut_off(standing, client):
    answer = client.post("/ui/plan", content=b"a" * ((1 << 20) + 1), headers={"origin": standing[1]})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/ui/login", "/ui/logout"])
def test_a_form_that_never_arrives_is_hung_up_on(active_home, monkeypatch, path):
    monkeypatch.setattr(forms, "BODY_S", 0.2)
    with (
        Kernel.open(active_home) as kernel,
        serving(kernel, active_home, patience=0.2) as service,
        socket.create_connection(urlsplit(service.url).netloc.split(":"), timeout=20) as wire,
    ):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100\r\n\r\nto"
        )
        wire.sendall(head.encode())
        assert b" 400 " in wire.recv(1_000)
        wire.sendall(b"k")
        with suppress(ConnectionResetError):
            while wire.recv(1_000):
                pass


def test_a_form_that_is_cut_off_is_no_fault_of_the_page(active_home, caplog):
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        for _ in range(3):
            with socket.create_connection(urlsplit(service.url).netloc.split(":"), timeout=20) as wire:
                head = (
                    b"POST /ui/login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100"
                )
                wire.sendall(head + b"\r\n\r\nto")
        assert httpx.get(service.url + "/login").status_code == 200
    assert "failed to answer" not in caplog.text


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ({"type": ["string", "null"]}, "json"),
        ({"type": {}}, "json"),
        ({"enum": ["a", "b"]}, "choice"),
        ({"type": "string", "enum": [{"a": 1}, 2]}, "json"),
        (True, "json"),
        ({"type": "integer"}, "integer"),
    ],
)
def test_any_schema_of_a_unit_gives_a_form(inner, kind):
    [field] = forms.fields_of({"type": "object", "properties": {"a": inner}, "required": ["a"]})
    assert field["kind"] == kind


def test_a_plan_that_moved_is_not_applied(shown, own_client):
    kernel, url = shown
    shown_plan = own_client.post("/ui/plan", data={"remove": "acme/loop"}, headers={"origin": url}).text
    digest = re.search(r'name="digest" value="([^"]+)"', shown_plan)[1]
    kernel.apply(kernel.plan(remove=["acme/echo"]))
    answer = own_client.post("/ui/apply", data={"remove": "acme/loop", "digest": digest}, headers={"origin": url})
    assert "RM-6" in answer.text
    assert "acme/loop" in {one.ref.id for one in kernel.units() if one.active}


def test_who_may_only_look_changes_nothing(active_home, operators):
    token = operators(vera=["viewer"])["vera"]
    with Kernel.open(active_home) as kernel, serving(kernel, active_home) as service:
        with httpx.Client(base_url=service.url, cookies={"remit_token": token}) as http:
            assert http.get("/ui/units").status_code == 200
            [grant] = [one.id for one in kernel.leases() if one.unit == "acme/counter"]
            answer = http.post("/ui/revoke", data={"grant": grant}, headers={"origin": service.url})
        assert "RM-4" in answer.text
        assert {one.state for one in kernel.leases()} == {"standing"}


def test_vendored_files_are_those_whose_checksums_stand_beside_them():
    lines = (FOLDER / "static" / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    assert {name: hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest() for name in sums} == sums
    assert {name for name in static.FILES if ".min." in name} <= set(sums)


def test_the_page_of_experiments_shows_both_arms_and_what_a_promotion_lacks(shown, own_client, tmp_path):
    kernel, _ = shown
    folder = shutil.copytree(UNITS / "counter", tmp_path / "counter")
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    build_unit(folder)
    kernel.install(str(folder), allow_unsigned=True)
    assert "No unit is on trial" in own_client.get("/ui/experiments").text
    kernel.apply(kernel.plan(trial=["acme/counter"], terms=Terms(calls=2)), consent=True)
    kernel.call("acme/counter:increment")
    text = own_client.get("/ui/experiments").text
    assert "1.1.0 beside 1.0.0" in text
    assert "it has not had 2 calls yet" in text
    kernel.revert("acme/counter")
    assert "what it wrote was dropped" in own_client.get("/ui/experiments").text
