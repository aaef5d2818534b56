"""The C SDK: its JSON against Python's, every interface of the world, and what a compiler's complaint becomes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remit_unit.native import Memory

from remit.errors import BuildFailed
from remit.host import build_unit

MANIFEST = """
schema = "unit/v1"
id = "acme/c"
version = "1.0.0"
kind = "{kind}"
title = "A unit in C"
license = "Apache-2.0"
[runtime]
artifact = "c.wasm"
memory = "8MiB"
[build]
tool = "zig-cc"
source = "src/unit.c"
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

JSON_UNIT = """
#include "remit.h"

remit_answer remit_call(remit_text action, remit_text input) {
    remit_text text;
    int64_t number;
    remit_buffer out = {0};
    if (remit_same(action, REMIT_TEXT("string"))) {
        if (!remit_string(input, &text)) return remit_rejected(REMIT_TEXT("no string"));
        remit_add_string(&out, text);
    } else if (remit_same(action, REMIT_TEXT("integer"))) {
        if (!remit_integer(input, &number)) return remit_rejected(REMIT_TEXT("no integer"));
        remit_add_integer(&out, number);
    } else if (remit_same(action, REMIT_TEXT("member"))) {
        remit_text found = remit_member(remit_member(input, "object"), "wänted");
        if (found.size == 0) return remit_rejected(REMIT_TEXT("no member"));
        remit_add(&out, found);
    } else {
        remit_each it = remit_begin(input);
        bool first = true;
        REMIT_ADD(&out, "[");
        while (remit_next(&it)) {
            if (!first) REMIT_ADD(&out, ",");
            first = false;
            if (it.object) remit_add(&out, it.key), REMIT_ADD(&out, ",");
            remit_add(&out, it.value);
        }
        REMIT_ADD(&out, "]");
    }
    return remit_ok(remit_written(&out));
}
"""

EVERYTHING = """
#include "remit.h"

static void told(remit_buffer *out, int failed, int code, remit_text text) {
    if (failed) REMIT_ADD(out, "refused "), remit_add_integer(out, code);
    else remit_add(out, text);
    REMIT_ADD(out, "\\n");
}

remit_answer remit_call(remit_text action, remit_text input) {
    remit_buffer out = {0};
    remit_text key = REMIT_TEXT("key"), none = {0};
    (void)action;
    remit_log(REMIT_WARN, REMIT_TEXT("look"));
    remit_add(&out, remit_parameters());
    remit_add_integer(&out, (int64_t)(remit_now_ms() + remit_monotonic_ns()));
    REMIT_ADD(&out, "\\n");
    remit_number_reply put = remit_put(key, input, 0), again = remit_put(key, input, 0);
    remit_add_integer(&out, put.failed ? -1 : (int64_t)put.ok);
    told(&out, again.failed, again.error.code, none);
    remit_entry_reply got = remit_get(key);
    told(&out, got.failed || !got.ok.found, 0, got.ok.entry.value);
    remit_add_integer(&out, (int64_t)got.ok.entry.version);
    remit_add_integer(&out, (int64_t)remit_put(key, input, REMIT_ANY_VERSION).ok);
    remit_list_reply keys = remit_keys(none, none, 10);
    remit_add_integer(&out, (int64_t)keys.ok.count);
    told(&out, keys.failed, 0, keys.ok.at[0]);
    remit_truth_reply gone = remit_delete(key), twice = remit_delete(key);
    remit_add_integer(&out, gone.ok), remit_add_integer(&out, twice.ok);
    got = remit_get(key);
    remit_add_integer(&out, got.ok.found);
    REMIT_ADD(&out, "\\n");
    remit_text_reply emitted = remit_emit(REMIT_TEXT("a.b"), REMIT_TEXT("{\\"n\\": 1}"));
    told(&out, emitted.failed, emitted.error.code, emitted.ok);
    remit_header header = {REMIT_TEXT("accept"), REMIT_TEXT("text/plain")};
    remit_http_reply page = remit_fetch(REMIT_TEXT("GET"), REMIT_TEXT("https://a.example/"), &header, 1, none, 100);
    told(&out, page.failed, page.error.code, page.ok.body);
    remit_add_integer(&out, page.ok.status);
    told(&out, 0, 0, page.ok.headers[0].value);
    page = remit_fetch(REMIT_TEXT("GET"), REMIT_TEXT("https://b.example/"), 0, 0, none, 100);
    told(&out, page.failed, page.error.code, page.error.message);
    remit_text_reply file = remit_read(REMIT_TEXT("docs/a"));
    told(&out, file.failed, file.error.code, file.ok);
    remit_number_reply written = remit_write(REMIT_TEXT("docs/a"), input);
    told(&out, written.failed, written.error.code, none);
    remit_text_reply secret = remit_secret(REMIT_TEXT("key"));
    remit_text_reply other = remit_invoke(REMIT_TEXT("acme/other:thing"), input);
    told(&out, secret.failed, secret.error.code, secret.ok);
    told(&out, other.failed, other.error.code, other.ok);
    return remit_ok(remit_written(&out));
}
"""

FACES = """
#include "remit.h"

remit_answer remit_handle(const remit_event *event) {
    remit_text title;
    remit_buffer out = {0};
    if (event->attempt > 2) return remit_retry(1500, REMIT_TEXT("later"));
    if (!remit_member_string(event->data, "title", &title)) return remit_rejected(REMIT_TEXT("a ticket has a title"));
    REMIT_ADD(&out, "[");
    remit_text texts[] = {title, event->id, event->topic, event->source, event->subject, event->content_type};
    for (int index = 0; index < 6; index++) remit_add_string(&out, texts[index]), REMIT_ADD(&out, ",");
    remit_add_integer(&out, (int64_t)event->time_ms), REMIT_ADD(&out, ",");
    remit_add_integer(&out, event->hops), REMIT_ADD(&out, ",");
    remit_add_integer(&out, event->priority), REMIT_ADD(&out, ",");
    remit_add_integer(&out, event->attempt), REMIT_ADD(&out, "]");
    return remit_ok(remit_written(&out));
}
"""

CALLING = """#include "remit.h"
remit_answer remit_call(remit_text a, remit_text b) {
 return (void)a, remit_ok((%s)); }
"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Writes a unit in C and gives its folder."""

    def write(source, more=ACTION, kind="tool"):
        folder = tmp_path_factory.mktemp("c")
        (folder / "src").mkdir()
        (folder / "src" / "unit.c").write_text(source)
        (folder / "unit.toml").write_text(MANIFEST.format(kind=kind) + more)
        return folder

    return write


@pytest.fixture(scope="session")
def reader(project, sandboxed):
    """Runs an action of the unit that reads JSON."""
    run = sandboxed(project(JSON_UNIT))
    host = Memory()
    return lambda action, text: run("provider.call", (action, text), host)


@given(st.text(), st.booleans())
def test_a_string_comes_back_as_it_went_in(reader, text, escaped):
    tag, answer = reader("string", json.dumps(text, ensure_ascii=escaped))
    assert (tag, json.loads(answer)) == ("ok", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [('"\\ud800"', "\ufffd"), ('"\\ud800\\u0041"', "\ufffdA"), ('"\\udc00x"', "\ufffdx"), ('"\\u00zz"', "\ufffd")],
)
def test_what_is_no_character_becomes_the_replacement(reader, text, said):
    assert json.loads(reader("string", text)[1]) == said


@given(st.integers(-(2**70), 2**70))
def test_an_integer_is_read_whole_or_not_at_all(reader, number):
    tag, answer = reader("integer", str(number))
    fits = -(2**63) <= number < 2**63
    assert (tag, answer) == (("ok", str(number)) if fits else ("rejected", "no integer"))


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), JSON, st.sampled_from([None, 1]))
def test_a_member_is_found_in_any_object(reader, others, wanted, indent):
    value = {"object": others | {"wänted": wanted}, **{f"x{name}": other for name, other in others.items()}}
    tag, answer = reader("member", json.dumps(value, indent=indent, ensure_ascii=indent is None))
    assert (tag, json.loads(answer)) == ("ok", wanted)


@given(st.lists(JSON, max_size=5) | st.dictionaries(st.text(max_size=4), JSON, max_size=5))
def test_a_walk_meets_everything_in_order(reader, value):
    expected = [one for pair in value.items() for one in pair] if isinstance(value, dict) else value
    assert json.loads(reader("walk", json.dumps(value))[1]) == expected


@given(st.text(alphabet='{}[]",:\\u01x \n', max_size=40), st.sampled_from(["string", "integer", "member", "walk"]))
def test_what_is_no_json_ends_in_an_answer(reader, text, action):
    assert reader(action, text)[0] in {"ok", "rejected"}


def test_every_interface_of_the_world_answers_in_c(project, sandboxed):
    folder = project(EVERYTHING, ACTION + CAPABILITIES)
    host = Memory({"p": 1}, {"https://a.example/": "a page"})
    tag, said = sandboxed(folder)("provider.call", ("go", "välue"), host)
    assert tag == "ok"
    assert said.splitlines() == [
        '{"p": 1}0',
        "1refused 3",
        "välue",
        "121key",
        "100",
        "1",
        "a page",
        "200text/plain",
        "refused 5",
        "refused 5",
        "refused 5",
        "refused 5",
        "refused 5",
    ]
    assert (host.lines, host.events) == ([("warn", "look")], [("a.b", {"n": 1})])


def test_a_reaction_sees_every_field_of_the_event(project, sandboxed, event):
    run = sandboxed(project(FACES, '[[on]]\ntopic = "ticket.created"\n'))
    tag, answer = run("handler.handle", event, Memory())
    expected = ["päper jam", "1", "ticket.created", "//x", "Ada", "application/json", 2**40, 8, 0, 2]
    assert (tag, json.loads(answer)) == ("ok", expected)
    assert run("handler.handle", event | {"data": ""}, Memory())[0] == "rejected"
    assert run("handler.handle", event | {"attempt": 3}, Memory())[0] == "retry"


def test_a_transform_in_c_answers_with_patches(project, sandboxed):
    source = '#include "remit.h"\nremit_answer remit_transform(remit_text c) { return remit_ok(c); }\n'
    more = '[transform]\nreads = ["assistant"]\nwrites = ["assistant"]\n'
    run = sandboxed(project(source, more, "transform"))
    assert run("transformer.transform", '{"patches": []}', Memory()) == ("ok", '{"patches": []}')


def test_memory_that_a_call_took_is_free_for_the_next(project, sandboxed):
    source = """
    #include "remit.h"
    remit_answer remit_call(remit_text action, remit_text input) {
        __builtin_memset(remit_alloc(3 << 20), 7, 3 << 20);
        return (void)action, remit_ok(input);
    }
    """
    run = sandboxed(project(source), calls=10)
    assert run("provider.call", ("go", "1"), Memory()) == ("ok", "1")


@pytest.mark.parametrize(
    ("source", "said", "remedy"),
    [
        ('#include "remit.h"\n\nint x = ;\n', "src/unit.c:3: expected expression", "correct the source"),
        ("#include <stdio.h>\n", "src/unit.c:1: 'stdio.h' file not found", "no libc"),
        ('#include "remit.h"\n', "remit_call is not defined, and the manifest promises an", "define it"),
        (
            CALLING % "remit_secret(b).ok",
            "src/unit.c:3: call to undeclared function 'remit_secret'",
            "secret:read",
        ),
        (
            CALLING % 'printf("x"), b',
            "src/unit.c:3: call to undeclared function 'printf'",
            "remit.h lists",
        ),
    ],
)
def test_what_the_compiler_refuses_is_told_with_the_authors_line(project, source, said, remedy):
    folder = project(source)
    with pytest.raises(BuildFailed) as caught:
        build_unit(folder)
    assert said in caught.value.message
    assert remedy in caught.value.remedy
    assert not (folder / "c.wasm").exists()


def test_two_builds_of_one_source_are_the_same_bytes(project):
    assert build_unit(project(JSON_UNIT)).read_bytes() == build_unit(project(JSON_UNIT)).read_bytes()
