"""The units under ``units/``: each is valid, builds, and asks for exactly what it should; the small ones also run here.

They run on bare wasmtime against a simulated host, so that a fault of a unit is not mistaken for one of the sandbox.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component, Linker, Record, Variant

from remit.units.manifest import check, parse
from remit.units.toolchains.build import build

UNITS = Path(__file__).parents[2] / "units"
FOLDERS = sorted(path.parent for path in UNITS.rglob("unit.toml"))
WAT = [folder for folder in FOLDERS if folder.parent.name == "wat"]
PYTHON = [UNITS / "redact", UNITS / "score"]
OURS = "remit:unit/"
IMPORTS = {
    "redact": {"clock", "events", "log", "parameters", "random", "state", "types"},
    "score": {"log", "parameters", "types"},
    "counter": {"events", "state", "types"},
    "sneaky": {"files", "http", "types"},
    "undeclared": {"secrets", "types"},
    "react": {"events", "state", "types"},
    "calc": set(),
}
EXPORTS = {"score": {"transformer"}, "react": {"handler"}, "calc": set()}


def manifest_of(folder):
    return parse((folder / "unit.toml").read_bytes())


@pytest.fixture(scope="session")
def engine():
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.max_wasm_stack = 256 << 10
    return wasmtime.Engine(config)


def component_of(engine, folder):
    # Built where they stand, as their author would: a second run of the tests finds them built.
    return Component(engine, build(folder, manifest_of(folder)).read_bytes())


def short(names):
    return {name.removeprefix(OURS).partition("@")[0] for name in names if name.startswith(OURS)}


class Host:
    """A kernel of thirty lines: state and events of one unit, and a refusal for everything else.

    Where both sides of a result are records, wasmtime wants to be told which one it gets (``Variant``).
    """

    def __init__(self):
        self.state = {}
        self.events = []
        self.asked = []

    def get(self, _store, key):
        value = self.state.get(key)
        return Variant("ok", value and record(value=value[0], version=value[1]))

    def put(self, _store, key, value, expected):
        version = self.state.get(key, ("", 0))[1]
        if expected is not None and expected != version:
            return record(code="conflict", message="")
        self.state[key] = (value, version + 1)
        return version + 1

    def emit(self, _store, topic, content_type, data):
        self.events.append((topic, content_type, data))
        return str(len(self.events))

    def refuse(self, _store, *arguments):
        self.asked.append(arguments)
        return record(code="denied", message="not granted")

    def refuse_fetch(self, *arguments):
        return Variant("err", self.refuse(*arguments))

    def functions(self):
        return {
            "state": {"get": self.get, "put": self.put},
            "events": {"emit": self.emit},
            "http": {"fetch": self.refuse_fetch},
            "files": {"read": self.refuse},
            "secrets": {"read": self.refuse},
        }


def record(**fields):
    made = Record()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def call(engine, name, action, given="{}", host=None, limit=64 << 20):
    component = component_of(engine, UNITS / "wat" / name)
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    store.set_limits(memory_size=limit)
    linker = Linker(engine)
    functions = (host or Host()).functions()
    with linker.root() as root:
        for imported in component.type.imports(engine):
            with root.add_instance(imported) as instance:
                for function, body in functions.get(short([imported]).pop(), {}).items():
                    instance.add_func(function, body)
    instance = linker.instantiate(store, component)
    provider = instance.get_export_index(store, "remit:unit/provider@0.1.0")
    function = instance.get_func(store, instance.get_export_index(store, "call", provider))
    return function(store, action, given)


# ---- what they are ----


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_first_unit_has_no_fault(folder):
    assert check(folder, artifact=False)[1] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_first_unit_is_named_after_its_folder_and_says_what_it_does(folder):
    assert manifest_of(folder).id == f"acme/{folder.name}"
    assert (folder / "README.md").read_text("utf-8").startswith(f"# acme/{folder.name}\n")


@pytest.mark.parametrize(
    "folder",
    [*WAT, *(pytest.param(folder, marks=pytest.mark.slow) for folder in PYTHON)],
    ids=lambda folder: folder.name,
)
def test_a_first_unit_imports_and_exports_what_it_should(engine, folder):
    kind = component_of(engine, folder).type
    assert short(kind.imports(engine)) == IMPORTS.get(folder.name, {"types"})
    assert short(kind.exports(engine)) == EXPORTS.get(folder.name, {"provider"})


# ---- those that behave ----


@pytest.mark.parametrize("text", ["", "{}", '"' + "ü█" * 100_000 + '"'])
def test_echo_answers_with_its_input(engine, text):
    assert call(engine, "echo", "echo", text) == text


def test_counter_counts_and_tells(engine):
    host = Host()
    answers = [
        json.loads(call(engine, "counter", action, host=host)) for action in ("read", *["increment"] * 12, "read")
    ]
    assert [answer["count"] for answer in answers] == [0, *range(1, 13), 12]
    assert host.events == [("counter.changed", "application/json", json.dumps({"count": n})) for n in range(1, 13)]


def test_counter_writes_only_over_the_version_that_it_read(engine):
    class Racing(Host):
        def get(self, store, key):
            answer = super().get(store, key)
            self.state[key] = ("7", self.state.get(key, ("", 0))[1] + 1)
            return answer

    answer = call(engine, "counter", "increment", host=Racing())
    assert (answer.tag, answer.payload) == ("failed", "the state was not available")


def test_counter_spoils_after_it_wrote_and_told(engine):
    host = Host()
    with pytest.raises(wasmtime.WasmtimeError):
        call(engine, "counter", "spoil", host=host)
    assert (host.state, len(host.events)) == ({"count": ("1", 1)}, 1)


def test_counter_says_that_it_has_no_such_action(engine):
    answer = call(engine, "counter", "zap")
    assert (answer.tag, answer.payload) == ("failed", "no such action")


def test_sneaky_tries_both_and_reports_the_refusals(engine):
    host = Host()
    assert json.loads(call(engine, "sneaky", "probe", host=host)) == {"http": "denied", "files": "denied"}
    (request,), (path, encoding) = host.asked
    assert (request.method, request.url) == ("GET", "https://collector.example.net")
    assert (path, encoding) == ("/etc/passwd", "utf8")


@pytest.mark.parametrize(
    "code", ["denied", "exhausted", "not-found", "conflict", "invalid", "unavailable", "timed-out"]
)
def test_sneaky_knows_every_refusal_by_its_name(engine, code):
    class Refusing(Host):
        def refuse(self, _store, *_arguments):
            return record(code=code, message="")

    assert json.loads(call(engine, "sneaky", "probe", host=Refusing())) == {"http": code, "files": code}


def test_sneaky_does_not_hide_that_it_was_answered(engine):
    class Generous(Host):
        def functions(self):
            return super().functions() | {"files": {"read": lambda *_: "root:x:0:0"}}

    assert json.loads(call(engine, "sneaky", "probe", host=Generous())) == {"http": "denied", "files": "answered"}


# ---- those that misbehave, each in its way ----


@pytest.mark.parametrize(
    ("name", "said"),
    [("trap", "unreachable"), ("grow", "unreachable"), ("recurse", "stack exhausted")],
)
def test_a_misbehaving_unit_traps_as_it_should(engine, name, said):
    with pytest.raises(wasmtime.WasmtimeError, match=said):
        call(engine, name, "go", limit=4 << 20)


def test_loop_ends_only_when_it_is_interrupted():
    config = wasmtime.Config()
    config.consume_fuel = True
    fuelled = wasmtime.Engine(config)
    component = component_of(fuelled, UNITS / "wat" / "loop")
    store = wasmtime.Store(fuelled)
    store.set_fuel(1_000_000)
    linker = Linker(fuelled)
    with linker.root() as root, root.add_instance("remit:unit/types@0.1.0"):
        pass
    instance = linker.instantiate(store, component)
    provider = instance.get_export_index(store, "remit:unit/provider@0.1.0")
    with pytest.raises(wasmtime.WasmtimeError, match="fuel"):
        instance.get_func(store, instance.get_export_index(store, "call", provider))(store, "go", "{}")
    assert store.get_fuel() == 0


def test_badtext_is_not_utf8(engine):
    with pytest.raises((wasmtime.WasmtimeError, UnicodeDecodeError), match=r"utf-?8"):
        call(engine, "badtext", "speak")


def test_flood_answers_with_eight_mebibytes_of_json(engine):
    answer = call(engine, "flood", "flood")
    assert len(answer) == 8 << 20
    assert set(json.loads(answer)) == {"x"}
