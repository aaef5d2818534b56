"""The Rust shim: its JSON against Python's, every interface of the world, both faces, and what a complaint becomes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remit_unit.native import Memory

from remit.errors import BuildFailed
from remit.host import build_unit
from remit.units.toolchains.rust import rust_version

MANIFEST = """
schema = "unit/v1"
id = "acme/rust"
version = "1.0.0"
kind = "{kind}"
[runtime]
artifact = "rust.wasm"
memory = "16MiB"
[build]
tool = "rustc"
source = "src/unit.rs"
"""
ACTION = '[[action]]\nname = "go"\n'
CAPABILITIES = "".join(
    f'[[capability]]\naction = "{action}"\nresource = "{resource}"\n'
    for action, resource in [
        ("events:emit", "a.b"),
        ("net:http", "https://a.example"),
        ("fs:read", "/srv/texts"),
        ("fs:write", "/srv/texts"),
        ("secret:read", "key"),
        ("action:call", "acme/other:thing"),
    ]
)
READER = """
mod remit_unit;
use remit_unit::{json, Answer, Error};

pub fn call(action: &str, input: &str) -> Answer {
    match action {
        "string" => json::text(input).map(|text| json::quoted(&text)).ok_or(Error::Rejected("no string".into())),
        "member" => json::member(input, "object")
            .and_then(|object| json::member(object, "wänted"))
            .map(str::to_string)
            .ok_or(Error::Rejected("no member".into())),
        "later" => Err(Error::Retry(1 << 33, "busy".into())),
        "fail" => Err(Error::Failed("no".into())),
        _ => panic!("nothing is called {action}"),
    }
}
"""
EVERYTHING = """
mod remit_unit;
use remit_unit::{clock, emit, files, http, invoke, log, parameters, random, secret, state, Answer, Refused};

fn told<T: std::fmt::Display>(answer: Result<T, Refused>) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(refused) => format!("refused {:?} {}", refused.code, refused.message.len()),
    }
}

pub fn call(_action: &str, input: &str) -> Answer {
    log::warn("look");
    let _ = random::next;
    let page = http::fetch("GET", "https://a.example/", &[("accept", "text/plain"), ("x", "")], "", 100)?;
    let lines = [
        format!("{} {}", parameters(), clock::now_ms()),
        told(state::put("key", input, Some(0))),
        told(state::put("key", input, Some(0))),
        format!("{:?}", state::get("key")?),
        told(state::put("key", "", None)),
        format!("{:?} {:?}", state::keys("k", "", 10)?, state::keys("z", "", 10)?),
        format!("{} {}", state::delete("key")?, state::delete("key")?),
        format!("{:?}", state::get("key")?),
        told(emit("a.b", "{}")),
        format!("{} {} {:?} {}", page.status, page.body, page.headers, page.base64),
        told(http::get("https://b.example/").map(|page| page.body)),
        told(files::read("docs/a")),
        told(files::write("docs/a", input)),
        told(secret("key")),
        told(invoke("acme/other:thing", input)),
    ];
    Ok(lines.join("\\n"))
}
"""
FACES = """
mod remit_unit;
use remit_unit::{json, Answer, Error, Event};

pub fn handle(event: &Event) -> Answer {
    if event.attempt > 2 {
        return Err(Error::Retry(1500, "later".into()));
    }
    let title = json::member_text(&event.data, "title").ok_or(Error::Rejected("a ticket has a title".into()))?;
    let texts = [&title, &event.id, &event.topic, &event.source, &event.subject, &event.content_type];
    let texts: Vec<String> = texts.iter().map(|text| json::quoted(text)).collect();
    Ok(format!("[{},{},{},{},{}]", texts.join(","), event.time_ms, event.hops, event.priority, event.attempt))
}
"""
TRANSFORM = """
mod remit_unit;
use remit_unit::{json, Answer};
pub fn transform(context: &str) -> Answer {
    Ok(json::member(context, "documents").unwrap_or("null").to_string())
}
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def project(program, tmp_path_factory):
    """Writes a unit in Rust and gives its folder, where this machine's rustc can build one."""
    program("rustc")
    try:
        rust_version()
    except BuildFailed as error:
        pytest.skip(error.message)

    def write(source, more=ACTION, kind="tool"):
        folder = tmp_path_factory.mktemp("rust")
        (folder / "src").mkdir()
        (folder / "src" / "unit.rs").write_text(source)
        (folder / "unit.toml").write_text(MANIFEST.format(kind=kind) + more)
        return folder

    return write


@pytest.fixture(scope="session")
def reader(project, sandboxed):
    """Runs an action of the unit that reads JSON."""
    run = sandboxed(project(READER))
    return lambda action, text: run("provider.call", (action, text), Memory())


@given(st.text(), st.booleans())
def test_a_string_comes_back_as_it_went_in(reader, text, escaped):
    tag, answer = reader("string", json.dumps(text, ensure_ascii=escaped))
    assert (tag, json.loads(answer)) == ("ok", text)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), JSON, st.sampled_from([None, 1]))
def test_a_member_is_found_in_any_object(reader, others, wanted, indent):
    value = {"object": others | {"wänted": wanted}, **{f"x{name}": other for name, other in others.items()}}
    tag, answer = reader("member", json.dumps(value, indent=indent, ensure_ascii=indent is None))
    assert (tag, json.loads(answer)) == ("ok", wanted)


@given(st.text(alphabet='{}[]",:\\u01x \n', max_size=40), st.sampled_from(["string", "member"]))
def test_what_is_no_json_ends_in_an_answer(reader, text, action):
    assert reader(action, text)[0] in {"ok", "rejected"}


@pytest.mark.parametrize(("action", "answer"), [("later", ("retry", "busy")), ("fail", ("failed", "no"))])
def test_a_units_errors_are_heard(reader, action, answer):
    assert reader(action, "{}") == answer


def test_every_interface_of_the_world_answers(project, sandboxed):
    host = Memory({"p": 1}, {"https://a.example/": "a page"})
    tag, said = sandboxed(project(EVERYTHING, ACTION + CAPABILITIES))("provider.call", ("go", "välue"), host)
    assert tag == "ok"
    assert said.splitlines() == [
        '{"p": 1} 0',
        "1",
        "refused Conflict 19",
        'Some(("välue", 1))',
        "2",
        '["key"] []',
        "true false",
        "None",
        "1",
        '200 a page [("content-type", "text/plain")] false',
        "refused Unavailable 36",
        "refused Unavailable 35",
        "refused Unavailable 36",
        "refused Unavailable 37",
        "refused Unavailable 37",
    ]
    assert (host.lines, host.events) == ([("warn", "look")], [("a.b", {})])


@pytest.mark.parametrize("change", [{}, {"data": "{}"}, {"attempt": 3}])
def test_a_reaction_gets_its_event_whole(project, sandboxed, event, change):
    event |= change
    tag, said = sandboxed(project(FACES, '[[on]]\ntopic = "ticket.created"\n'))("handler.handle", event, Memory())
    names = ["id", "topic", "source", "subject", "content-type", "time-ms", "hops", "priority", "attempt"]
    whole = (
        "ok",
        json.dumps(["päper jam", *(event[name] for name in names)], ensure_ascii=False, separators=(",", ":")),
    )
    expected = {"data": ("rejected", "a ticket has a title"), "attempt": ("retry", "later")}
    assert (tag, said) == next((expected[key] for key in change), whole)


def test_a_transform_gets_its_documents(project, sandboxed):
    folder = project(TRANSFORM, '[transform]\nwrites = ["a"]\n', kind="transform")
    assert sandboxed(folder)("transformer.transform", '{"documents": {"a": [1]}}', Memory()) == ("ok", '{"a": [1]}')


@pytest.mark.parametrize(
    ("source", "message", "remedy"),
    [
        ("mod remit_unit;\npub fn call(a: &str) {", r"src/unit\.rs:2: .*unclosed delimiter", "correct the source"),
        (
            "mod remit_unit;\nuse remit_unit::{emit, Answer};\npub fn call(a: &str, b: &str) -> Answer { emit(a, b) }",
            r"src/unit\.rs:2: unresolved import `remit_unit::emit`",
            "'events:emit'",
        ),
        (
            "mod remit_unit;\n",
            r"the crate root has no function 'call', and the manifest promises an \[\[action\]\]",
            "define it",
        ),
        ("extern crate serde;\n", r"src/unit\.rs:1: can't find crate for `serde`", "correct the source"),
    ],
)
def test_a_complaint_names_the_authors_line_and_what_helps(project, source, message, remedy):
    with pytest.raises(BuildFailed, match=message) as caught:
        build_unit(project(source))
    assert remedy in caught.value.remedy


def test_two_builds_of_one_source_are_the_same_bytes(project):
    first, second = (build_unit(project(FACES, '[[on]]\ntopic = "ticket.created"\n')).read_bytes() for _ in range(2))
    assert first == second


def test_without_a_compiler_for_the_target_a_build_says_what_to_install(monkeypatch, tmp_path):
    fake = tmp_path / "rustc"
    fake.write_text("#!/bin/sh\necho /nowhere\n")
    fake.chmod(0o755)
    monkeypatch.setenv("RUSTC", str(fake))
    with pytest.raises(BuildFailed, match="cannot compile for wasm32-unknown-unknown") as caught:
        rust_version()
    assert "rustup target add" in caught.value.remedy
