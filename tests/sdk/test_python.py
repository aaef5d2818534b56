"""The Python SDK for guests: the same module natively and in the sandbox, its schemas, its errors."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from remit_unit import Refused
from remit_unit.native import Memory
from remit_unit.schemas import schema_of

from remit.errors import RemitError, UnitFailed
from remit.testing import FakeHttp

SDK = Path(__file__).parents[2] / "sdk" / "python"

UNIT = '''
"""A unit with everything."""

from __future__ import annotations

from remit_unit import Handler, Provider, Refused, Rejected, Retry, action, call, emit, http, log, on, parameters, state

__all__ = ["Handler", "Provider"]


@action
def greet(name: str, loud: bool = False) -> dict[str, object]:
    """Greet somebody."""
    if not name:
        raise Rejected("nobody to greet")
    times = int(state.get(name) or 0) + 1
    state.put(name, str(times), expected=state.version(name))
    emit("greeting.said", {"name": name})
    log.info("greeted", name=name)
    text = parameters()["greeting"] + ", " + name
    return {"text": text.upper() if loud else text, "times": times, "keys": state.list()}


@action
def look(url: str) -> str:
    """Look at a page."""
    try:
        return http.get(url).body
    except Refused as refused:
        return refused.code


@action
def reach(action: str) -> str:
    """Call what is not declared."""
    try:
        return str(call(action))
    except Refused as refused:
        return refused.code


@action
def fail(how: str) -> None:
    """Go wrong."""
    if how == "retry":
        raise Retry(250, "busy")
    raise ZeroDivisionError(how)


@action(raw=True)
def echo(text: str) -> str:
    """Give back the input, untouched."""
    return text


@on("person.left")
def forget(event: dict[str, object]) -> None:
    """Forget somebody."""
    state.delete(str(event["data"]))
'''

MANIFEST = """
schema = "unit/v1"
id = "acme/sdk"
version = "1.0.0"
kind = "tool"
title = "Everything of the SDK"
license = "Apache-2.0"
[runtime]
artifact = "sdk.wasm"
memory = "64MiB"
deadline = "10s"
[build]
tool = "componentize-py"
source = "src/unit.py"
[requires]
remit = ">=0.1,<0.2"
world = "0.1"
[parameters]
defaults = { greeting = "Hello" }
[[on]]
topic = "person.left"
[[capability]]
action = "events:emit"
resource = "greeting.said"
[[capability]]
action = "net:http"
resource = "https://page.example"
methods = ["GET"]
""" + "".join(f'[[action]]\nname = "{name}"\n' for name in ("greet", "look", "reach", "fail", "echo"))

CALLS: list[tuple[str, Any]] = [
    ("greet", {"name": "Ada"}),
    ("greet", {"name": "Ada", "loud": True}),
    ("greet", {"name": "Bob"}),
    ("greet", {"name": ""}),
    ("look", {"url": "https://page.example/a"}),
    ("look", {"url": "https://page.example/missing"}),
    ("reach", {"action": "acme/other:thing"}),
    ("fail", {"how": "retry"}),
    ("fail", {"how": "badly"}),
    ("greet", {"nonsense": 1}),
    ("echo", {"text": "█ as it is"}),
]


@pytest.fixture
def folder(tmp_path):
    """The unit's folder."""
    (tmp_path / "sdk" / "src").mkdir(parents=True)
    (tmp_path / "sdk" / "src" / "unit.py").write_text(UNIT)
    (tmp_path / "sdk" / "unit.toml").write_text(MANIFEST)
    (tmp_path / "sdk" / "README.md").write_text("# acme/sdk\n\nEverything of the SDK.\n")
    return tmp_path / "sdk"


def _module(folder):
    spec = importlib.util.spec_from_file_location("unit_under_test", folder / "src" / "unit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _natively(folder):
    provider = _module(folder).Provider()
    answers = []
    with Memory({"greeting": "Hello"}, {"https://page.example/a": "a page"}) as host:
        for name, value in CALLS:
            try:
                answers.append(json.loads(provider.call(name, json.dumps(value))))
            except Exception as error:  # noqa: BLE001 - natively the unit's own error is the answer
                answers.append(type(error).__name__)
    return answers, host


@pytest.mark.slow
def test_a_unit_says_the_same_natively_and_in_the_sandbox(folder, remit_unit, remit_kernel, remit_events):
    remit_unit(folder)
    kernel = remit_kernel(plugins={"web": FakeHttp({"https://page.example/a": "a page"})})
    happened = remit_events(kernel)
    native, host = _natively(folder)
    said = {"Rejected": "UnitRejected", "Retry": "UnitRetry", "ZeroDivisionError": "UnitFailed"}
    said["TypeError"] = "UnitFailed"
    for (name, value), expected in zip(CALLS, native, strict=True):
        try:
            answer = kernel.call(f"acme/sdk:{name}", value)
        except RemitError as error:
            answer = type(error).__name__
        if name == "reach":  # natively there is no policy, in the sandbox the interface is not there at all
            assert (expected, answer) == ("unavailable", "denied")
        else:
            assert answer == (said.get(expected, expected) if isinstance(expected, str) else expected), name
    with pytest.raises(UnitFailed, match=r"(?s)unit\.py.*ZeroDivisionError: badly"):
        kernel.call("acme/sdk:fail", {"how": "badly"})
    assert happened.of("greeting.said") == [data for _, data in host.events]


def test_a_native_unit_says_what_its_module_says_alone(folder, remit_unit, remit_kernel):
    manifest = (folder / "unit.toml").read_text().replace('kind = "tool"', 'kind = "native"')
    manifest = manifest.replace('memory = "64MiB"\n', "").replace("sdk.wasm", "sdk.native.json")
    (folder / "unit.toml").write_text(manifest.replace("componentize-py", "native") + '[native]\nmodule = "unit"\n')
    remit_unit(folder)
    kernel = remit_kernel(plugins={"web": FakeHttp({"https://page.example/a": "a page"})})
    alone, _ = _natively(folder)
    said = {"Rejected": "UnitRejected", "Retry": "UnitRetry", "ZeroDivisionError": "UnitFailed"}
    said |= {"TypeError": "UnitFailed", "unavailable": "unavailable"}
    for (name, value), expected in zip(CALLS, alone, strict=True):
        try:
            answer = kernel.call(f"acme/sdk:{name}", value)
        except RemitError as error:
            answer = type(error).__name__
        if name == "reach":  # alone there is no policy
            assert (expected, answer) == ("unavailable", "denied")
        else:
            assert answer == (said.get(expected, expected) if isinstance(expected, str) else expected), name


def test_natively_a_unit_has_its_state_events_log_and_reactions(folder):
    module = _module(folder)
    with Memory({"greeting": "Hi"}) as host:
        assert module.greet(name="Ada") == {"text": "Hi, Ada", "times": 1, "keys": ["Ada"]}
        assert host.lines == [("info", "greeted")]
        event = type("Event", (), {})()
        event.topic, event.data = "person.left", '"Ada"'
        module.Handler().handle(event)
        assert host.state == {}


def test_without_a_host_a_capability_says_what_to_do(folder):
    with pytest.raises(Refused, match="Memory"):
        _module(folder).greet(name="Ada")


def test_the_schemas_of_a_module_are_written_and_fit_its_calls(folder):
    environment = {**os.environ, "PYTHONPATH": str(SDK)}
    words = [sys.executable, "-m", "remit_unit", "src/unit.py"]
    said = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    assert "schemas/greet.input.json" in said
    schema = json.loads((folder / "schemas" / "greet.input.json").read_text())
    assert schema["title"] == "Greet somebody."
    assert schema["required"] == ["name"]
    jsonschema.Draft202012Validator.check_schema(schema)


class Point(TypedDict):
    x: int
    y: float


KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text()),
    (int, st.integers()),
    (bool, st.booleans()),
    (list[int], st.lists(st.integers())),
    (dict[str, bool], st.dictionaries(st.text(), st.booleans())),
    (int | None, st.none() | st.integers()),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Point, st.fixed_dictionaries({"x": st.integers(), "y": st.floats(allow_nan=False, allow_infinity=False)})),
]


@given(st.sampled_from(KINDS).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1])))
def test_every_value_of_a_type_fits_its_schema(pair):
    kind, value = pair
    jsonschema.validate(value, schema_of(kind), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("kind", [bytes, set[int], dict[int, str], complex, object()])
def test_a_type_that_json_does_not_have_is_refused(kind):
    with pytest.raises(TypeError, match="no JSON Schema"):
        schema_of(kind)
