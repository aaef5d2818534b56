"""Read models over server-sent events: the whole, then JSON Patches that lead from each value to the next."""

from __future__ import annotations

import json

import httpx
import jsonpatch
import pytest

SSE = {"accept": "text/event-stream"}


def frames(response):
    """The events of a stream: dicts of id, event and decoded data."""
    frame = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if not line and frame:
            yield frame | {"data": json.loads(frame["data"])}
            frame = {}
        elif line:
            name, _, value = line.partition(": ")
            frame[name] = value


def test_the_patches_of_a_stream_lead_to_the_model(client):
    with client.stream("GET", "/state/actions", headers=SSE) as response:
        stream = frames(response)
        value = jsonpatch.apply_patch(None, next(stream)["data"]["patch"])
        assert value == []
        for _ in range(3):
            client.post("/actions/acme/counter/increment", json=1).raise_for_status()
            while sum(use["completed"] for use in value) < 1:
                value = jsonpatch.apply_patch(value, next(stream)["data"]["patch"])
        while value[0]["completed"] < 3:
            value = jsonpatch.apply_patch(value, next(stream)["data"]["patch"])
    assert value == client.get("/state/actions").json()


def test_a_client_that_was_cut_off_goes_on_from_what_it_has(client):
    client.post("/actions/acme/counter/increment", json=1).raise_for_status()
    seq = client.post("/events", json={"type": "some.topic"}).json()["seq"]
    had = client.get("/state/actions", params={"at": seq}).json()
    client.post("/actions/acme/counter/increment", json=1).raise_for_status()
    with client.stream("GET", "/state/actions", headers=SSE | {"last-event-id": str(seq)}) as response:
        frame = next(frames(response))
    assert int(frame["id"]) > seq
    assert jsonpatch.apply_patch(had, frame["data"]["patch"]) == client.get("/state/actions").json()


@pytest.mark.parametrize(
    ("address", "resumed", "status"), [("none", None, 404), ("health", "x", 400), ("health", "99999", 400)]
)
def test_what_cannot_be_streamed_is_refused_before_it_begins(client, address, resumed, status):
    headers = SSE | ({} if resumed is None else {"last-event-id": resumed})
    assert client.get(f"/state/{address}", headers=headers).status_code == status


def test_an_episode_is_served_whole(client):
    client.post("/actions/acme/counter/increment", json=1, headers={"remit-correlation": "run-7"}).raise_for_status()
    snapshot = client.get("/state/episode/run-7/snapshot").json()
    assert [record["event"]["type"] for record in snapshot["records"]] == ["action.completed", "counter.changed"]
    assert client.get("/state/episode/run-7/trace").json() == snapshot["trace"]


def test_an_unknown_episode_is_not_found(client):
    answer = client.get("/state/episode/nobody/snapshot")
    assert (answer.status_code, answer.json()["code"]) == (404, "RM-3020")


def test_streams_need_a_token(served):
    assert httpx.get(f"{served}/state/health", headers=SSE).status_code == 401
