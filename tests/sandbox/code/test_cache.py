"""The code cache: nothing without our seal is loaded, whatever became of the files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import ArtifactInvalid, CacheTampered, HomeUnsafe, HostFault
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox import ComponentRunner

KEY = bytes(range(32))
UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")


def second_runner(bench, key: bytes = KEY) -> ComponentRunner:
    """Another process's runner on the same folder, with nothing in memory and no source for the artifact."""
    return ComponentRunner(bench.folder, key, SystemClock())


def run_with(runner, artifact, door, **limits):
    program = Program(UNIT, artifact, "tool", Limits(**limits), frozenset())
    return runner.run(program, "provider.call", ("act", "text"), door, 5_000)


def test_code_that_is_cached_is_not_compiled_again(fresh, echo, door, monkeypatch):
    artifact = fresh.prepare(echo)
    runner = second_runner(fresh)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert run_with(runner, artifact, door).text == "text"
    assert runner.interfaces(echo) == (frozenset(), frozenset({"provider"}))


def test_the_cache_lists_and_clears_what_it_holds(fresh, echo):
    artifact = fresh.prepare(echo)
    (entry,) = fresh.runner.entries()
    assert entry.artifact == artifact
    assert entry.size == next(fresh.folder.glob("*.code")).stat().st_size
    assert fresh.runner.clear() > entry.size
    assert fresh.runner.entries() == []
    assert list(fresh.folder.iterdir()) == []
    assert fresh.run(echo, "again").text == "again"


def test_metered_and_unmetered_code_are_kept_apart(fresh, echo):
    assert fresh.run(echo, "a").fuel is None
    assert fresh.run(echo, "a", fuel=1_000_000).fuel > 0
    assert len({entry.engine for entry in fresh.runner.entries()}) == 2


def test_everything_in_the_cache_belongs_to_its_owner_alone(fresh, echo):
    fresh.prepare(echo)
    assert {path.stat().st_mode & 0o777 for path in fresh.folder.iterdir()} == {0o400}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.sampled_from(["*.code", "*.sealed"]), where=st.floats(0, 0.999), bit=st.integers(0, 7), cut=st.booleans()
)
def test_a_changed_or_shortened_file_is_never_loaded(fresh, echo, new_door, which, where, bit, cut):
    artifact = fresh.prepare(echo)
    path = next(fresh.folder.glob(which))
    original = path.read_bytes()
    at = int(len(original) * where)
    changed = original[:at] if cut else original[:at] + bytes([original[at] ^ 1 << bit]) + original[at + 1 :]
    path.unlink()  # a file of its own, since an earlier turn's runner may have mapped the other
    path.write_bytes(changed)
    path.chmod(0o400)
    # Who knows the artifact's bytes makes the code again; who does not refuses.
    with pytest.raises(CacheTampered):
        run_with(second_runner(fresh), artifact, new_door())
    knowing = second_runner(fresh)
    knowing.prepare(artifact, lambda: echo)
    assert run_with(knowing, artifact, new_door()).text == "text"
    assert run_with(second_runner(fresh), artifact, new_door()).text == "text"


def test_a_file_that_was_written_in_place_is_checked_again(fresh, echo, door):
    artifact = fresh.prepare(echo)
    path = next(fresh.folder.glob("*.code"))
    times = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    path.chmod(0o400)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(CacheTampered):
        run_with(second_runner(fresh), artifact, door)


def test_code_in_another_file_is_loaded_if_its_bytes_are_those(fresh, echo, door):
    artifact = fresh.prepare(echo)
    path = next(fresh.folder.glob("*.code"))
    code = path.read_bytes()
    path.unlink()
    path.write_bytes(code)
    path.chmod(0o400)
    assert run_with(second_runner(fresh), artifact, door).text == "text"


def test_another_keys_seal_is_not_ours(fresh, echo, door):
    artifact = fresh.prepare(echo)
    with pytest.raises(CacheTampered):
        run_with(second_runner(fresh, b"x" * 32), artifact, door)


def test_another_artifacts_record_under_this_name_is_refused(fresh, echo, guest, door):
    artifact, other = fresh.prepare(echo), fresh.prepare(guest("(unreachable)"))
    mine, theirs = (next(fresh.folder.glob(f"{name[7:]}*.sealed")) for name in (artifact, other))
    theirs.rename(mine)
    with pytest.raises(CacheTampered):
        run_with(second_runner(fresh), artifact, door)


def test_a_link_in_the_cache_is_not_followed(fresh, echo, door, tmp_path):
    artifact = fresh.prepare(echo)
    code = next(fresh.folder.glob("*.code"))
    code.rename(tmp_path / "elsewhere")
    code.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheTampered):
        run_with(second_runner(fresh), artifact, door)


def test_code_that_others_can_write_is_refused(fresh, echo, door):
    artifact = fresh.prepare(echo)
    next(fresh.folder.glob("*.code")).chmod(0o622)
    with pytest.raises(CacheTampered, match="others"):
        run_with(second_runner(fresh), artifact, door)


def test_a_folder_that_others_can_enter_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(HomeUnsafe):
        ComponentRunner(tmp_path, KEY, SystemClock())


def test_bytes_without_the_artifacts_digest_are_not_compiled(fresh, echo):
    with pytest.raises(ArtifactInvalid, match="digest"):
        fresh.runner.prepare("sha256:" + "0" * 64, lambda: echo)


def test_an_artifact_that_was_never_prepared_is_told(fresh, door):
    with pytest.raises(HostFault, match="not prepared"):
        run_with(fresh.runner, "sha256:" + "0" * 64, door)


@pytest.mark.parametrize("artifact", ["", "sha256:../../etc/passwd", "sha256:" + "0" * 63, "md5:" + "0" * 64])
def test_a_digest_that_is_none_names_no_file(fresh, door, artifact):
    with pytest.raises(HostFault) as caught:
        run_with(fresh.runner, artifact, door)
    assert "digest" in str(caught.value)


def test_progress_is_told_while_compiling(fresh, echo):
    heard = []
    artifact = fresh.prepare(echo)
    fresh.runner.clear()
    fresh.runner.prepare(artifact, lambda: echo, lambda stage, share: heard.append((stage, share)))
    shares = [share for _, share in heard]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert all(stage.startswith("compiling ") for stage, _ in heard)


def test_two_processes_may_compile_the_same_artifact_at_once(fresh, echo, tmp_path, door):
    (tmp_path / "echo.wasm").write_bytes(echo)
    program = (
        "import sys; from pathlib import Path;"
        "from remit.sandbox import ComponentRunner; from remit.kernel.ports import SystemClock;"
        "r = ComponentRunner(Path(sys.argv[1]), bytes(range(32)), SystemClock());"
        "print(sorted(r.interfaces(Path(sys.argv[2]).read_bytes())[1]))"
    )
    command = [sys.executable, "-c", program, str(fresh.folder), str(tmp_path / "echo.wasm")]
    root = Path(__file__).parents[3]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env=dict(os.environ)) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == [b"['provider']"] * 2
    assert run_with(second_runner(fresh), fresh.prepare(echo), door).text == "text"
    assert len(fresh.runner.entries()) == 1


def test_work_that_a_dead_process_left_behind_is_swept_and_a_live_ones_is_not(fresh):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, live = fresh.folder / f"compiling-{dead.pid}-x", fresh.folder / f"compiling-{os.getpid()}-x"
    left.mkdir()
    live.mkdir()
    second_runner(fresh)
    assert [path.name for path in fresh.folder.iterdir()] == [live.name]


def test_a_record_that_cannot_be_replaced_is_told_as_tampered(fresh, echo):
    artifact = fresh.prepare(echo)
    record = next(fresh.folder.glob("*.sealed"))
    record.unlink()
    (record / "in the way").mkdir(parents=True)
    with pytest.raises(CacheTampered):
        fresh.runner.prepare(artifact, lambda: echo)


@pytest.mark.parametrize("replace", [True, False])
def test_code_that_is_loaded_does_not_feel_that_its_file_is_replaced_or_removed(fresh, echo, new_door, replace):
    artifact = fresh.prepare(echo)
    runner = second_runner(fresh)
    assert run_with(runner, artifact, new_door()).text == "text"
    code = next(fresh.folder.glob("*.code"))
    if replace:
        (fresh.folder / "other").write_bytes(b"")
        (fresh.folder / "other").rename(code)
    else:
        code.unlink()
    assert run_with(runner, artifact, new_door()).text == "text"


def test_code_whose_bytes_had_to_be_checked_does_not_feel_what_happens_to_its_file(fresh, echo, new_door):
    artifact = fresh.prepare(echo)
    code = next(fresh.folder.glob("*.code"))
    code.touch()  # no longer the file as it was sealed
    runner = second_runner(fresh)
    assert run_with(runner, artifact, new_door()).text == "text"
    code.chmod(0o600)
    code.write_bytes(b"")
    assert run_with(runner, artifact, new_door()).text == "text"
