"""The TypeScript SDK: every interface of the world, three faces, native runs, and what the tools complain about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from remit_unit.native import Memory

from remit.errors import BuildFailed
from remit.host import build_unit, try_unit
from remit.kernel.ports import no_progress
from remit.units.toolchains.qjs import bundled_tests

pytestmark = pytest.mark.slow

MANIFEST = """
schema = "unit/v1"
id = "acme/js"
version = "1.0.0"
kind = "{kind}"
title = "A unit in TypeScript"
license = "Apache-2.0"
[runtime]
artifact = "js.wasm"
memory = "32MiB"
[build]
tool = "componentize-qjs"
source = "src/unit.ts"
"""
ACTIONS = '[[action]]\nname = "go"\n[[action]]\nname = "raw"\n[[action]]\nname = "fail"\n'
CAPABILITIES = "".join(
    f'[[capability]]\naction = "{action}"\nresource = "{resource}"\n'
    for action, resource in [
        ("events:emit", "a.b"),
        ("net:http", "https://a.example"),
        ("fs:read", "/srv/texts"),
        ("secret:read", "key"),
    ]
)

UNIT = """
import * as remit from "remit-unit";
import { twice } from "./twice.ts";

const tried = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    if (error instanceof remit.Refused) return error.code;
    throw error;
  }
};

export const go = remit.action("go", ({ key }: { key: string }) => {
  const { state } = remit;
  remit.log.warn("look", { key });
  return {
    parameters: remit.parameters(),
    put: [state.put(key, "välue", 0), state.version(key), state.put(key, twice("v"))],
    conflict: tried(() => state.put(key, "x", 0)),
    got: [state.get(key), state.get("nothing") ?? null],
    keys: state.list("k"),
    gone: [state.delete(key), state.delete(key)],
    emitted: remit.emit("a.b", { n: 1 }),
    page: remit.http.get("https://a.example/", [["accept", "text/plain"]]).body,
    dead: tried(() => remit.http.get("https://b.example/")),
    file: tried(() => remit.files.read("/srv/texts/a")),
    secret: tried(() => remit.secret("key")),
    called: tried(() => remit.call("acme/other:thing")),
  };
});

remit.rawAction("raw", (input) => input);

remit.action("fail", ({ how }: { how: string }) => {
  if (how === "rejected") throw new remit.Rejected("not this");
  if (how === "retry") throw new remit.Retry(1500, "later");
  if (how === "text") throw "a bare text";
  return (undefined as any).member;
});
"""

FACES = """
import { Rejected, on } from "remit-unit";

on<{ title: string }>("ticket.created", ({ data, ...event }) => {
  if (data === null) throw new Rejected("a ticket has data");
  return { ...event, title: data.title, today: typeof Date.now() };
});
"""

TRANSFORM = """
import { jsonPatch, merge, transform } from "remit-unit";

transform(({ assistant }) => [
  merge("assistant", { members: Object.keys(assistant).length }),
  jsonPatch("assistant", [{ op: "add", path: "/seen", value: "█" }]),
]);
"""


@pytest.fixture
def project(tmp_path, program):
    """Writes a unit in TypeScript and gives its folder."""
    program("npm")

    def write(source, more=ACTIONS, kind="tool"):
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "unit.ts").write_text(source)
        (tmp_path / "src" / "twice.ts").write_text("export const twice = (text: string): string => text + text;\n")
        (tmp_path / "unit.toml").write_text(MANIFEST.format(kind=kind) + more)
        return tmp_path

    return write


def test_every_interface_answers_and_what_is_not_declared_is_denied(project, sandboxed):
    run = sandboxed(project(UNIT, ACTIONS + CAPABILITIES))
    host = Memory({"p": 1}, {"https://a.example/": "a page"})
    tag, answer = run("provider.call", ("go", '{"key": "key"}'), host)
    assert (tag, json.loads(answer)) == (
        "ok",
        {
            "parameters": {"p": 1},
            "put": [1, 1, 2],
            "conflict": "conflict",
            "got": ["vv", None],
            "keys": ["key"],
            "gone": [True, False],
            "emitted": "1",
            "page": "a page",
            "dead": "unavailable",
            "file": "unavailable",
            "secret": "unavailable",
            "called": "denied",
        },
    )
    assert (host.lines, host.events) == ([("warn", "look")], [("a.b", {"n": 1})])


def test_whatever_goes_wrong_is_the_units_answer(project, sandboxed):
    run = sandboxed(project(UNIT))

    def fail(how):
        return run("provider.call", ("fail", json.dumps({"how": how})), Memory())

    assert fail("rejected") == ("rejected", "not this")
    assert fail("retry") == ("retry", "later")
    assert fail("text") == ("failed", "a bare text")
    tag, said = fail("otherwise")
    assert (tag, said.splitlines()[0].partition(":")[0]) == ("failed", "TypeError")
    assert run("provider.call", ("nothing", "{}"), Memory()) == ("rejected", 'there is no action "nothing"')
    assert run("provider.call", ("raw", '{"█":  1}'), Memory()) == ("ok", '{"█":  1}')


def test_a_reaction_sees_every_field_and_the_hosts_clock(project, sandboxed, event):
    run = sandboxed(project(FACES, '[[on]]\ntopic = "ticket.created"\n'))
    tag, answer = run("handler.handle", event, Memory())
    assert tag == "ok"
    said = json.loads(answer)
    assert (said["title"], said["timeMs"], said["today"]) == ("päper jam", 2**40, "number")
    assert (said["contentType"], said["attempt"], said["subject"]) == ("application/json", 2, "Ada")
    assert run("handler.handle", event | {"data": ""}, Memory())[0] == "rejected"
    assert run("handler.handle", event | {"topic": "x.y"}, Memory()) == ("rejected", 'nothing reacts to "x.y"')


def test_a_transform_answers_with_patches(project, sandboxed):
    more = '[transform]\nreads = ["assistant"]\nwrites = ["assistant"]\n'
    run = sandboxed(project(TRANSFORM, more, "transform"))
    tag, answer = run("transformer.transform", '{"documents": {"assistant": {"a": 1}}}', Memory())
    assert (tag, [patch["op"] for patch in json.loads(answer)["patches"]]) == ("ok", ["merge", "json-patch"])


NATIVE = """
import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "remit-unit";
import { Memory } from "remit-unit/native";
import { go } from "../src/unit.ts";

test("natively as in the sandbox", () => {
  const host = new Memory({ parameters: { p: 1 }, replies: { "https://a.example/": "a page" } });
  const said = host.run(() => go({ key: "key" })) as any;
  assert.deepEqual([said.put, said.conflict, said.got], [[1, 1, 2], "conflict", ["vv", null]]);
  assert.deepEqual([said.keys, said.gone, said.page, said.dead], [["key"], [true, false], "a page", "unavailable"]);
  assert.deepEqual(host.events, [["a.b", { n: 1 }]]);
  assert.deepEqual(host.lines, [["warn", "look"]]);
});

test("without a host a capability says what to do", () => {
  assert.throws(() => go({ key: "key" }), (error) => error instanceof Refused && /Memory/.test(error.message));
});
"""


@pytest.mark.parametrize(("end", "passed"), [("", True), ("test('wrong', () => assert.fail());\n", False)])
def test_a_units_own_tests_run_natively_and_count(project, end, passed, tmp_path, monkeypatch):
    monkeypatch.chdir(project(UNIT).parent)
    folder = Path(tmp_path.name)  # named as an author does, from where they stand
    (folder / "tests").mkdir()
    (folder / "tests" / "unit.test.ts").write_text(NATIVE + end)
    tried = try_unit(folder)
    assert (tried.passed, tried.node, tried.pytest) == (passed, 0 if passed else 1, None), tried.output
    assert "natively as in the sandbox" in tried.output


@pytest.mark.parametrize(
    ("source", "said", "remedy"),
    [
        ("const x = 1;\nconst = 2;\n", "src/unit.ts:2: Expected identifier", "correct the source"),
        ('import { x } from "nowhere";\nx();\n', 'src/unit.ts:1: Could not resolve "nowhere"', "beside the source"),
        ('import { fetch } from "remit:unit/http@0.1.0";\nfetch();\n', "remit:unit/http", "import from remit-unit"),
        ('throw new TypeError("at the top");\n', "at the top", "correct the source"),
    ],
)
def test_what_the_tools_refuse_is_told_in_the_authors_terms(project, source, said, remedy):
    folder = project(source)
    with pytest.raises(BuildFailed) as caught:
        build_unit(folder)
    assert said in caught.value.message
    assert remedy in caught.value.remedy
    assert not (folder / "js.wasm").exists()


def test_a_machine_without_node_is_told_what_to_install(project, monkeypatch):
    folder = project(UNIT)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildFailed, match="not on the path") as caught:
        build_unit(folder)
    assert "Node.js" in caught.value.remedy


def test_tools_that_cannot_be_installed_leave_nothing_behind(project, monkeypatch, tmp_path):
    folder = project(UNIT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "empty"))
    with pytest.raises(BuildFailed, match="npm could not install"):
        build_unit(folder)
    assert list((tmp_path / "cache" / "remit" / "js").iterdir()) == []


def test_a_folder_without_tests_bundles_nothing(tmp_path):
    assert bundled_tests(tmp_path, tmp_path, no_progress) == []
