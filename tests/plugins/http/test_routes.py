"""The three nouns over HTTP say what the façade says, and refuse what it refuses."""

from __future__ import annotations

import json

import httpx
import pytest

ECHO = "/actions/acme/echo/echo"


def test_a_read_model_is_served_as_of_a_record(client):
    before = client.get("/state/generations?at=1").json()
    assert client.get("/state").json()["models"]
    assert before != client.get("/state/generations").json()


def test_a_part_of_a_read_model_has_an_address(client):
    whole = client.get("/state/leases").json()
    assert client.get("/state/leases/grants").json() == whole["grants"]


@pytest.mark.parametrize(
    "path", ["/state/generations/nope", "/state/nope", "/spec/nope", "/nope", "/state/../../etc/passwd"]
)
def test_what_is_not_there_is_a_problem_with_a_code(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"].startswith("RM-")


def test_an_action_gives_its_output(client):
    assert client.post(ECHO, json={"text": "mail"}).json() == {"text": "mail"}


def test_the_same_key_gives_the_first_outcome_again(client):
    headers = {"idempotency-key": "once"}
    first = client.post("/actions/acme/counter/increment", json={}, headers=headers)
    again = client.post("/actions/acme/counter/increment", json={}, headers=headers)
    assert first.status_code == 200, first.text
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")


def test_the_same_key_with_another_input_conflicts(client):
    headers = {"idempotency-key": "once"}
    client.post(ECHO, json=1, headers=headers)
    assert client.post(ECHO, json=2, headers=headers).status_code == 409


def test_a_runaway_unit_is_a_gateway_timeout(client):
    answer = client.post("/actions/acme/loop/spin", json={}, headers={"remit-deadline-ms": "50"})
    assert (answer.status_code, answer.json()["code"]) == (504, "RM-5011")


def test_what_is_emitted_is_read_back(client):
    emitted = client.post("/events", json={"type": "ticket.created", "data": {"id": 7}})
    assert emitted.status_code == 201
    page = client.get("/events", params={"prefix": "ticket."}).json()["events"]
    assert [record["seq"] for record in page] == [emitted.json()["seq"]]


def test_topics_of_the_kernel_cannot_be_said(client):
    assert client.post("/events", json={"type": "unit.applied"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{", "application/json"), (b"[]", "application/json"), (b'{"type": 1}', "application/json"),
     (b"\xff", "application/json"), (b'{"type": "a.b"}', "text/plain"), (b"[" * 100_000, "application/json"),
     (b'{"type": "a.b", "more": 1}', "application/json"), (b"", "application/json")],
)  # fmt: skip
def test_a_malformed_event_is_a_bad_request(client, body, kind):
    answer = client.post("/events", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "RM-8006")


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=10001", "last=99999", "after=" + "9" * 400])
def test_a_number_out_of_bounds_is_a_bad_request(client, query):
    assert client.get(f"/events?{query}").json()["code"] == "RM-8006"


def test_a_stream_resumes_after_the_last_event_that_was_seen(client):
    seqs = [client.post("/events", json={"type": "a.b", "data": n}).json()["seq"] for n in range(5)]
    headers = {"accept": "text/event-stream", "last-event-id": str(seqs[1])}
    with client.stream("GET", "/events?prefix=a.", headers=headers) as stream:
        seen = _ids(stream, 3)
    assert seen == seqs[2:]


def test_a_stream_goes_on_as_things_happen(client, served):
    head = client.post("/events", json={"type": "a.b"}).json()["seq"]
    with client.stream("GET", f"/events?after={head}", headers={"accept": "text/event-stream"}) as stream:
        with httpx.Client(base_url=served, headers=client.headers) as other:
            said = other.post("/events", json={"type": "c.d"}).json()["seq"]
        assert _ids(stream, 1) == [said]


def _ids(stream, count):
    found = []
    for line in stream.iter_lines():
        if line.startswith("id: "):
            found.append(int(line[4:]))
            if len(found) == count:
                return found
    return found


def test_the_open_routes_say_no_more_than_that_they_are_there(served):
    assert httpx.get(served + "/healthz").json() == {"status": "ok"}
    assert httpx.get(served + "/readyz").json() == {"status": "ready"}


def test_the_specifications_name_every_action(client):
    names = {action["name"] for action in client.get("/actions").json()["actions"]}
    assert {f"/actions/{name.replace(':', '/')}" for name in names} <= set(client.get("/spec/openapi").json()["paths"])
    tools = client.get("/spec/mcp").json()["tools"]
    assert {tool["name"] for tool in tools} == {name.replace("/", "__").replace(":", "__") for name in names}
    assert client.get("/spec/asyncapi").json()["asyncapi"] == "3.0.0"


def test_an_input_of_any_json_is_echoed(client):
    for value in [None, True, 1.5, "ü\u0000", [1, [2]], {"a": {"b": []}}]:
        assert client.post(ECHO, content=json.dumps(value)).json() == value
