"""Calls of a home that are taken down, as the home or the caller says, and replayed from the journal alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.host import Kernel, build_unit, init
from remit.kernel.model import Caller
from remit.kernel.ports import SystemClock
from remit.sandbox.running.runner import ComponentRunner
from remit.sandbox.running.transcripts import read_transcript, replay

UNITS = Path(__file__).parents[2] / "units"


@pytest.fixture
def opened(tmp_path):
    """Opens a home in which a first-party unit is active."""

    def open_home(unit, config=""):
        init(tmp_path / "home")
        with (tmp_path / "home" / "remit.toml").open("a") as file:
            file.write(config)
        build_unit(UNITS / unit)
        kernel = Kernel.open(tmp_path / "home", serve=False)
        installed = kernel.install(str(UNITS / unit), allow_unsigned=True)
        kernel.apply(kernel.plan(add=[installed]), consent=True)
        return kernel

    return open_home


def outcome(kernel):
    (record,) = kernel.events(last=1, prefixes=("action.",))
    return record["event"]["data"]


def replayed(kernel, tmp_path, parameters="{}"):
    """The last call's transcript and its replay, in a sandbox that knows nothing of the home."""
    journal = kernel._rooms.journal
    transcript = read_transcript(journal.payload(outcome(kernel)["transcript"]))
    folder = tmp_path / "code"
    folder.mkdir(mode=0o700)
    runner = ComponentRunner(folder, bytes(32), SystemClock())
    try:
        return transcript, replay(
            transcript, runner, lambda: journal.blobs.get(transcript.program.artifact), parameters=parameters
        )
    finally:
        runner.close()


def test_a_recorded_call_replays_from_the_journal(opened, tmp_path):
    with opened("wat/counter", '[record]\nmode = "full"\n') as kernel:
        kernel.call("acme/counter:increment", {})
        kernel.call("acme/counter:increment", {})
        transcript, found = replayed(kernel, tmp_path)
        assert found == transcript.outcome
        assert [call.interface for call in transcript.calls].count("state") >= 2


@pytest.mark.parametrize(("home", "caller", "kept"), [
    ("off", "", False), ("off", "full", True), ("full", "off", False), ("full", "", True), ("digests", "", True),
])  # fmt: skip
def test_the_callers_word_comes_before_the_homes(opened, home, caller, kept):
    with opened("wat/counter", f'[record]\nmode = "{home}"\n') as kernel:
        kernel.call("acme/counter:read", {}, caller=Caller(record=caller))
        assert ("transcript" in outcome(kernel)) == kept


def test_a_failed_call_has_its_transcript_too(opened):
    with opened("wat/trap") as kernel:
        with pytest.raises(Exception, match="RM-50"):
            kernel.call(kernel.actions()[0]["name"], {}, caller=Caller(record="full"))
        found = read_transcript(kernel._rooms.journal.payload(outcome(kernel)["transcript"]))
        assert found.outcome is None


def test_where_a_schema_marks_something_as_sensitive_only_digests_are_kept(opened, tmp_path):
    folder = tmp_path / "echo"
    shutil.copytree(UNITS / "wat" / "echo", folder)
    (folder / "input.json").write_text('{"properties": {"pin": {"type": "string", "x-remit-sensitive": true}}}')
    manifest = (folder / "unit.toml").read_text().partition("[[test]]")[0]
    (folder / "unit.toml").write_text(manifest.replace('"echo"\nidem', '"echo"\ninput = "input.json"\nidem'))
    with opened(folder) as kernel:
        kernel.call("acme/echo:echo", {"pin": "1234-very-private"}, caller=Caller(record="full"))
        data = kernel._rooms.journal.payload(outcome(kernel)["transcript"])
        assert read_transcript(data).mode == "digests"
        assert b"very-private" not in data


@pytest.mark.slow
def test_a_guest_written_in_python_replays_to_the_same_bytes(opened, tmp_path):
    with opened("redact") as kernel:
        text = {"text": "mail bob@example.com"}
        kernel.call("acme/redact:redact", text, caller=Caller(record="full"))
        parameters = kernel._rooms.dispatcher.catalog.resolve("acme/redact:redact").parameters
        transcript, found = replayed(kernel, tmp_path, parameters)
        assert found == transcript.outcome
