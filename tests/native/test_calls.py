"""Calls of native code: the same leases, transaction, limits and records as any unit's; and how they are stopped."""

from __future__ import annotations

import threading

import pytest

from remit.errors import (
    DeadlineExceeded,
    GuestTrapped,
    HostCallsExceeded,
    InputTooLarge,
    OutputTooLarge,
    UnitFailed,
    UnitRejected,
)
from remit.kernel.model import Caller
from remit.testing import FakeHttp

PAGE = "https://page.example"
REACH = f"""
[[capability]]
action = "net:http"
resource = "{PAGE}"
methods = ["GET"]
optional = true
"""
EMIT = '[[capability]]\naction = "events:emit"\nresource = "inside.said"\n'
POINTS = """
from __future__ import annotations
import dataclasses, typing
from shapes.deep.names import NAME

@dataclasses.dataclass
class Point:
    x: int
    name: str = NAME

HINTS = sorted(typing.get_type_hints(Point))
"""


def told(kernel, kind):
    return [record["event"] for record in kernel.events(last=50) if record["event"]["type"] == kind]


def test_a_request_goes_out_under_the_units_lease_and_is_on_record(unit, opened):
    folder = unit(f'@action\ndef run():\n    return http.get("{PAGE}/a").body', REACH)
    kernel = opened(folder, plugins={"web": FakeHttp({f"{PAGE}/a": "a page"})})
    assert kernel.call("acme/inside:run", {}) == "a page"
    [done] = told(kernel, "action.completed")
    assert [charge[0] for charge in done["data"]["charges"].values()] == [1]


def test_without_the_grant_it_does_not(unit, opened):
    body = f"""
    @action
    def run():
        try:
            return http.get("{PAGE}/a").body
        except Refused as refused:
            return refused.code
    """
    kernel = opened(unit(body, REACH), plugins={"web": FakeHttp({f"{PAGE}/a": "a page"})})
    kernel.revoke(kernel.leases()[0].id, reason="no more")
    assert kernel.call("acme/inside:run", {}) == "denied"
    assert told(kernel, "lease.denied")


def test_what_the_manifest_does_not_declare_is_not_there(unit, opened):
    kernel = opened(unit('@action\ndef run():\n    return emit("inside.said")'))
    with pytest.raises(UnitFailed, match="declares nothing that needs 'events'"):
        kernel.call("acme/inside:run", {})


def test_a_call_that_fails_leaves_nothing(unit, opened):
    body = """
    @action
    def run(fail=False):
        before = state.get("key")
        state.put("key", "was here")
        emit("inside.said", before)
        if fail:
            raise ValueError("no")
        return before
    """
    kernel = opened(unit(body, EMIT))
    with pytest.raises(
        UnitFailed, match=r"(?s)acme/inside@1.0.0 [0-9a-f]{8}>/unit.py.*raise ValueError.*ValueError: no"
    ):
        kernel.call("acme/inside:run", {"fail": True})
    assert kernel.call("acme/inside:run", {}) is None
    assert len(told(kernel, "inside.said")) == 1
    assert kernel.call("acme/inside:run", {}) == "was here"


def test_an_event_reaches_its_reaction(unit, opened):
    more = '[[on]]\ntopic = "person.left"\nqos = "realtime"\n'
    body = """
    @on("person.left")
    def forget(event):
        state.put("left", event["data"])

    @action
    def run():
        return state.get("left")
    """
    kernel = opened(unit(body, more))
    kernel.emit("person.left", "Ada")
    seen, subjects = 0, []
    while "acme/inside:on.person.left" not in subjects:
        for record in kernel.events(seen, wait_ms=1_000):
            seen = record["seq"]
            subjects.append(record["event"].get("subject"))
    assert kernel.call("acme/inside:run", {}) == "Ada"


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "raise KeyboardInterrupt", "exit()"])
def test_who_wants_to_end_the_process_ends_the_call(unit, opened, end):
    kernel = opened(unit(f"import sys\n@action\ndef run(stay=False):\n    if stay: return 1\n    {end}"))
    with pytest.raises(UnitFailed):
        kernel.call("acme/inside:run", {})
    assert kernel.call("acme/inside:run", {"stay": True}) == 1


def test_a_loop_ends_with_its_deadline_and_so_does_its_thread(unit, opened):
    kernel = opened(unit("@action\ndef run():\n    state.put('a', 'b')\n    while True: pass", deadline="200ms"))
    with pytest.raises(DeadlineExceeded):
        kernel.call("acme/inside:run", {})
    for thread in threading.enumerate():
        if thread.name == "remit-native acme/inside":
            thread.join(10)
            assert not thread.is_alive()
    [failed] = told(kernel, "action.failed")
    assert failed["data"]["code"] == "RM-5011"


def test_what_waits_in_c_is_left_behind_and_reaches_nothing_any_more(unit, opened):
    body = """
    import threading
    go, done = threading.Event(), threading.Event()
    said = []

    @action
    def run(after=False):
        if after:
            go.set()
            done.wait()
            return [said, state.get("late")]
        try:
            go.wait()
            state.put("late", "written")
            said.append("reached")
        finally:
            done.set()
    """
    kernel = opened(unit(body, deadline="300ms"))
    with pytest.raises(DeadlineExceeded):
        kernel.call("acme/inside:run", {})
    assert kernel.call("acme/inside:run", {"after": True}) == [[], None]


def test_limits_of_input_output_and_host_calls_hold(unit, opened):
    limits = 'deadline = "5s"\ninput = "1KiB"\noutput = "1KiB"\nhost_calls = 50'
    folder = unit(
        "@action\ndef run(text='', calls=0):\n    [state.get('k') for _ in range(calls)]\n    return text * 2"
    )
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace('deadline = "5s"', limits))
    kernel = opened(folder)
    assert kernel.call("acme/inside:run", {"text": "x", "calls": 50}) == "xx"
    with pytest.raises(HostCallsExceeded):
        kernel.call("acme/inside:run", {"calls": 51})
    with pytest.raises(InputTooLarge):
        kernel.call("acme/inside:run", {"text": "x" * 1_024})
    with pytest.raises(OutputTooLarge):
        kernel.call("acme/inside:run", {"text": "x" * 900})


def test_who_answers_no_text_is_told_so(unit, opened):
    head = "class Provider:\n    def call(self, action, input):\n        return 7\n"
    with pytest.raises(GuestTrapped, match="answered int, not text"):
        opened(unit("", head=head)).call("acme/inside:run", {})


def test_a_module_that_cannot_be_imported_is_the_calls_error(unit, opened):
    kernel = opened(unit("import no_such_library\n@action\ndef run(): pass"))
    with pytest.raises(GuestTrapped, match="No module named 'no_such_library'"):
        kernel.call("acme/inside:run", {})


def test_units_with_the_same_names_of_modules_and_actions_do_not_meet(unit, opened):
    body = "from helper import WORD\n@action\ndef run():\n    return WORD"
    one = unit(body, unit="acme/one", files=[("helper.py", "WORD = 1")])
    two = unit(body, unit="acme/two", files=[("helper.py", "WORD = 2")])
    kernel = opened(one, two)
    assert [kernel.call(f"acme/{name}:run", {}) for name in ("one", "two", "one")] == [1, 2, 1]


def test_packages_relative_imports_and_types_of_the_unit_work(unit, opened):
    files = [
        ("shapes/__init__.py", "from . import points\nfrom .points import Point as Point\n"),
        ("shapes/points.py", POINTS),
        ("shapes/deep/names.py", "NAME = 'origin'\n"),
    ]
    body = """
    import json as text, shapes.points, shapes.deep.names
    @action
    def run():
        return [text.loads("1"), shapes.Point(1).name, shapes.points.HINTS, shapes.deep.names.NAME]
    """
    assert opened(unit(body, files=files)).call("acme/inside:run", {}) == [1, "origin", ["name", "x"], "origin"]


def test_projects_do_not_share_what_a_unit_keeps_in_its_globals(unit, opened):
    kernel = opened(unit("seen = []\n@action\ndef run(name):\n    seen.append(name)\n    return seen"))
    other = Caller(namespace="other")
    kernel.call("acme/inside:run", {"name": "a"})
    assert kernel.call("acme/inside:run", {"name": "b"}) == ["a", "b"]
    assert kernel.call("acme/inside:run", {"name": "c"}, caller=other) == ["c"]


def test_the_input_is_checked_and_rejections_are_heard(unit, opened):
    body = "from remit_unit import Rejected\n@action\ndef run(name):\n    raise Rejected('not ' + name)"
    with pytest.raises(UnitRejected, match="not Ada"):
        opened(unit(body)).call("acme/inside:run", {"name": "Ada"})


def test_files_and_secrets_are_reached_under_grants_and_secrets_are_masked(unit, home, opened, tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "s3cret-token")
    root, notes = home(), tmp_path / "notes"
    notes.mkdir()
    config = root / "remit.toml"
    config.write_text(config.read_text() + '[secret.api-token]\nenv = "API_TOKEN"\n')
    more = "".join(
        f'[[capability]]\naction = "{action}"\nresource = "{resource}"\n'
        for action, resource in [("fs:read", notes), ("fs:write", notes), ("secret:read", "api-token")]
    )
    body = f"""
    from remit_unit import files, secret

    @action
    def run(name):
        size = files.write("{notes}/" + name, secret("api-token"))
        return [size, files.read("{notes}/" + name), files.list("{notes}")]
    """
    kernel = opened(unit(body, more), root=root)
    assert kernel.call("acme/inside:run", {"name": "a"}) == [12, "s3cret-token", ["a"]]
    with pytest.raises(UnitFailed, match="denied"):
        kernel.call("acme/inside:run", {"name": "../b"})
    [done] = told(kernel, "action.completed")
    assert "s3cret" not in str(done)
