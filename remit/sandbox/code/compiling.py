"""Compiles a component in a process of its own, and tells the caller how far it is.

The parent never parses what it was given, beyond the eight bytes that say "component". The child gets a private folder,
an empty environment and limits; whatever ends it ends in :class:`ArtifactInvalid`.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from remit.errors import ArtifactInvalid
from remit.kernel.ports import Progress
from remit.sandbox.code.compiler import Job, Outcome
from remit.sandbox.wit.contract import Shape

__all__ = ["CompileBounds", "Compiled", "compile_component", "refuse_at_sight"]

_MAGIC = b"\0asm"
_COMPONENT = b"\x0d\0\x01\0"
_MODULE = b"\x01\0\0\0"
_POLL_S = 0.05
WORK_PREFIX = "compiling-"
"""Names of work folders begin with it and the process id of their owner."""
_SECONDS_PER_MIB = 0.25
_CODE_PER_BYTE = 16
"""Bytes of machine code for a byte of the largest artifact; about three are usual."""
_BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])["path"]
from remit.sandbox.code.compiler import main
main(sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class CompileBounds:
    """What compiling one artifact may take: bytes of artifact and of memory, seconds of CPU and on the wall."""

    size: int = 64 << 20
    memory: int = 3 << 30
    cpu_s: int = 240
    wall_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Compiled:
    """Machine code in a file that lives as long as the compilation's context."""

    path: Path
    code: str
    """SHA-256 of the file, hexadecimal."""
    shape: Shape


def refuse_at_sight(component: bytes, bounds: CompileBounds) -> None:
    """Refuse what eight bytes and a length show to be no component.

    :raises ArtifactInvalid: if it is too large, or not a component's binary format
    """
    if len(component) > bounds.size:
        raise ArtifactInvalid(
            f"the artifact has {len(component)} bytes, more than the {bounds.size} that are compiled",
            remedy="strip debug information, or leave out what the unit does not need",
        )
    if component[:4] != _MAGIC:
        raise ArtifactInvalid("the artifact is not WebAssembly")
    if component[4:8] == _MODULE:
        raise ArtifactInvalid("the artifact is a core module, not a component")
    if component[4:8] != _COMPONENT:
        raise ArtifactInvalid("the artifact is in an unknown version of the component format")


@contextmanager
def compile_component(
    component: bytes, *, metered: bool, folder: Path, bounds: CompileBounds, progress: Progress, label: str
) -> Iterator[Compiled]:
    """Compile in a child process; the code lies in ``folder`` until the context ends.

    :param folder: owner-only
    :param label: what people call the artifact, for ``progress``
    :raises ArtifactInvalid: if it is no valid component, or takes more than the bounds
    """
    refuse_at_sight(component, bounds)
    work = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{os.getpid()}-", dir=folder))
    try:
        source, target = work / "artifact.wasm", work / "code"
        source.write_bytes(component)
        outcome = _run(_job(source, target, bounds, metered=metered), work, len(component), bounds, progress, label)
        if outcome.error or outcome.shape is None:
            raise ArtifactInvalid(f"the artifact does not compile: {outcome.error or 'the compiler gave no reason'}")
        if _digest(target) != outcome.code:
            raise ArtifactInvalid("the compiler's file is not what it says it wrote")
        yield Compiled(target, outcome.code, outcome.shape)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _job(source: Path, target: Path, bounds: CompileBounds, *, metered: bool) -> Job:
    path = tuple(str(Path(entry).resolve()) for entry in sys.path)
    return Job(str(source), str(target), metered, bounds.size * _CODE_PER_BYTE, bounds.memory, bounds.cpu_s, path)


def _run(job: Job, work: Path, size: int, bounds: CompileBounds, progress: Progress, label: str) -> Outcome:
    command = [sys.executable, "-I", "-c", _BOOT, msgspec.json.encode(job).decode()]
    with (work / "out").open("wb") as out, (work / "err").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, arguments as a list
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_environment(),
            cwd=work,
            start_new_session=True,
        )
        try:
            in_time = _wait(process, size, bounds, progress, label)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if not in_time:
        raise ArtifactInvalid(f"the artifact took more than {bounds.wall_s:g} s to compile")
    try:
        return msgspec.json.decode((work / "out").read_bytes(), type=Outcome)
    except msgspec.DecodeError:
        tail = (work / "err").read_bytes()[-500:].decode(errors="replace").strip()
        raise ArtifactInvalid(
            f"the compiler gave up on the artifact (exit {process.returncode}): {tail or 'it reached a limit'}",
            exit=process.returncode,
        ) from None


def _environment() -> dict[str, str]:
    """Nothing but where the loader finds an interpreter that was built with shared libraries."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}


def _wait(process: subprocess.Popen[bytes], size: int, bounds: CompileBounds, progress: Progress, label: str) -> bool:
    """Whether the child ended by itself within the bounds; ``progress`` hears of it meanwhile."""
    expected = 0.2 + _SECONDS_PER_MIB * size / (1 << 20)
    stage = f"compiling {label}"
    progress(stage, 0.0)
    # Counting waits needs no clock: a simulated one must not decide how long a real process may run.
    for turn in range(1, math.ceil(bounds.wall_s / _POLL_S) + 1):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            progress(stage, 1.0)
            return True
        # Nobody knows how far a compiler is: approach the end without ever reaching it.
        progress(stage, 1 - math.exp(-turn * _POLL_S / expected))
    return False


def _digest(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ArtifactInvalid("the compiler wrote no code") from error
    with os.fdopen(handle, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
