"""``remit call`` and ``remit list``: what goes in, what comes out."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.cli import inputs

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture
def texts(echo, remit, units):
    """A home with an action that needs a text, and one that needs a number."""
    remit("unit", "install", units / "texts", units / "strict", "--allow-unsigned")
    remit("unit", "apply", "acme/texts", "acme/strict", "--yes")
    return echo


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=TREES)
@pytest.mark.usefixtures("echo")
def test_json_goes_through_as_it_is(remit, value):
    assert json.loads(remit("call", "acme/echo:echo", "--", json.dumps(value)).stdout) == value


@pytest.mark.usefixtures("echo")
def test_without_a_value_the_input_is_null(remit):
    assert remit("call", "acme/echo:echo").stdout == "null\n"


@pytest.mark.usefixtures("echo")
def test_json_gives_the_whole_outcome_with_stable_keys(remit):
    outcome = json.loads(remit("call", "acme/echo:echo", '{"a": 1}', "--json").stdout)
    assert set(outcome) == {"action", "unit", "digest", "output", "seq", "events", "duration_us", "replayed"}
    assert outcome["output"] == {"a": 1}


@pytest.mark.usefixtures("texts")
def test_plain_text_in_a_file_becomes_the_text_that_the_action_takes(remit, tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text('Dear "Bob",\n\tsee you — soon.\n')
    assert json.loads(remit("call", "acme/texts:echo", f"@{file}").stdout) == {"text": file.read_text()}
    assert remit("call", "acme/texts:echo", f"@{file}", "--raw").stdout == file.read_text()


@pytest.mark.usefixtures("texts")
def test_plain_text_on_standard_input_too_and_a_number_is_text_there(remit):
    assert json.loads(remit("call", "acme/texts:echo", "-", stdin="hello").stdout) == {"text": "hello"}
    assert json.loads(remit("call", "acme/texts:echo", "-", stdin="42").stdout) == {"text": "42"}


@pytest.mark.usefixtures("texts")
def test_json_in_a_file_is_not_wrapped(remit, tmp_path):
    file = tmp_path / "input.json"
    file.write_text('{"text": "already"}')
    assert json.loads(remit("call", "acme/texts:echo", f"@{file}").stdout) == {"text": "already"}


@pytest.mark.usefixtures("texts")
def test_plain_text_for_an_action_that_takes_none_says_what_to_do(remit, tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text("not json")
    assert "remit list acme/strict:echo" in remit("call", "acme/strict:echo", f"@{file}", code=64).stderr


@pytest.mark.usefixtures("echo")
def test_words_that_are_not_json_are_a_usage_error(remit):
    assert "quote JSON" in remit("call", "acme/echo:echo", "{oops", code=64).stderr


@pytest.mark.usefixtures("texts")
def test_input_that_does_not_fit_the_schema_is_refused_with_its_code(remit):
    assert "RM-7002" in remit("call", "acme/strict:echo", '{"n": "x"}', code=1).stderr


@pytest.mark.usefixtures("echo")
def test_a_missing_file_a_folder_and_bytes_that_are_no_text_are_refused(remit, tmp_path):
    for name, content in (("missing", None), ("bytes", b"\xff\xfe\x00")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert "RM-1000" in remit("call", "acme/echo:echo", f"@{tmp_path / name}", code=64).stderr
    assert "RM-1000" in remit("call", "acme/echo:echo", f"@{tmp_path}", code=64).stderr


@pytest.mark.usefixtures("echo")
def test_reading_stops_at_the_bound(monkeypatch, remit, tmp_path):
    monkeypatch.setattr(inputs, "MOST_INPUT", 1_000)
    file = tmp_path / "large"
    file.write_bytes(b"x" * 1_001)
    assert "RM-7010" in remit("call", "acme/echo:echo", f"@{file}", code=1).stderr
    assert "RM-7010" in remit("call", "acme/echo:echo", "-", stdin=b"y" * 5_000, code=1).stderr


def test_endless_standard_input_ends_at_the_bound(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = b"z" * len(buffer)
            return len(buffer)

    class Stdin:
        buffer = io.BufferedReader(Endless())

    monkeypatch.setattr(inputs, "MOST_INPUT", 100_000)
    monkeypatch.setattr("sys.stdin", Stdin)
    with pytest.raises(inputs.InputTooLarge):
        inputs.read_given("-")


@pytest.mark.usefixtures("echo")
def test_raw_refuses_an_output_that_is_no_text(remit):
    assert "--raw" in remit("call", "acme/echo:echo", '{"a": 1}', "--raw", code=64).stderr
    assert remit("call", "acme/echo:echo", '"word"', "--raw").stdout == "word\n"
    assert "exclude" in remit("call", "acme/echo:echo", '"word"', "--raw", "--json", code=64).stderr


@pytest.mark.usefixtures("echo")
def test_the_same_idempotency_key_does_it_once(remit):
    first = json.loads(remit("call", "acme/echo:echo", "1", "--idempotency-key", "k", "--json").stdout)
    again = json.loads(remit("call", "acme/echo:echo", "1", "--idempotency-key", "k", "--json").stdout)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["seq"] == again["seq"]
    assert "RM-7007" in remit("call", "acme/echo:echo", "2", "--idempotency-key", "k", code=1).stderr


@pytest.mark.usefixtures("echo")
def test_unknown_actions_and_traps_have_their_codes(remit, units):
    assert "RM-7001" in remit("call", "acme/none:x", code=1).stderr
    remit("unit", "install", units / "trap", "--allow-unsigned")
    remit("unit", "apply", "acme/trap", "--yes")
    assert "RM-5010" in remit("call", "acme/trap:trap", code=1).stderr


@pytest.mark.usefixtures("echo")
def test_output_cannot_steer_a_terminal(remit):
    result = remit("call", "acme/echo:echo", json.dumps("\x1b[2J\x9b1m\u202e"))
    assert not set(result.stdout) & {"\x1b", "\x9b", "\u202e"}
    assert json.loads(result.stdout) == "\x1b[2J\x9b1m\u202e"


@pytest.mark.usefixtures("slow")
def test_a_deadline_on_the_command_line_ends_the_call(remit):
    assert "RM-5011" in remit("call", "acme/slow:spin", "--deadline", "50ms", code=1).stderr


@pytest.mark.usefixtures("texts")
def test_list_shows_actions_and_one_actions_schemas(remit):
    assert "acme/strict:echo" in remit("list").stdout
    assert {entry["name"] for entry in json.loads(remit("list", "--json").stdout)["actions"]} == {
        "acme/echo:echo", "acme/texts:echo", "acme/strict:echo",
    }  # fmt: skip
    assert '"integer"' in remit("list", "acme/strict:echo").stdout
    assert "RM-7001" in remit("list", "acme/none:x", code=1).stderr


@pytest.mark.usefixtures("home")
def test_an_action_without_a_title_is_listed_under_its_units(remit, units, tmp_path):
    folder = tmp_path / "titled"
    shutil.copytree(units / "echo", folder)
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text() + '\n[[action]]\nname = "again"\ntitle = "Say it again"\n')
    remit("unit", "install", folder, "--allow-unsigned")
    remit("unit", "apply", "acme/echo", "--yes")
    listed = json.loads(remit("list", "--json").stdout)["actions"]
    assert {one["name"]: one["title"] for one in listed} == {
        "acme/echo:echo": "An action that answers with its input",
        "acme/echo:again": "Say it again",
    }


@pytest.mark.usefixtures("home")
def test_list_of_an_empty_home_says_what_to_do(remit):
    assert "remit unit plan" in remit("list").stdout
