"""A toolchain's program in a process of its own: bounded in time and in what it says, and gone with all it started."""

from __future__ import annotations

import os
import signal
import subprocess  # a compiler may abort its process; it gets its own
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from remit.errors import BuildFailed

if TYPE_CHECKING:
    from remit.kernel.ports import Progress

__all__ = ["Run"]

_TIMEOUT_S = 180.0
_POLL_S = 0.2
_USUAL_POLLS = 20
"""How many polls a build usually takes: progress nears its end then, and waits there."""
_MAX_OUTPUT = 64 << 10


@dataclass(frozen=True)
class Run:
    """One program with its words, in a folder."""

    name: str
    """For messages."""
    words: list[str]
    folder: Path
    hint: str = "look at what the source makes the compiler do"
    """What to look for if it does not end."""

    def __call__(self, stage: str, progress: Progress, **environment: str) -> tuple[int, str]:
        """Run it; its exit code, and the last 64 KiB of what it said.

        :param environment: variables besides those of this process
        :raises BuildFailed: if it cannot be started, or does not end within three minutes
        """
        # A file, since a pipe would hold in memory whatever the program says.
        with tempfile.TemporaryFile() as log:
            process = self._started({**os.environ, "NO_COLOR": "1", **environment}, log)
            try:
                self._wait(process, stage, progress)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            log.seek(max(0, log.seek(0, os.SEEK_END) - _MAX_OUTPUT))
            return process.returncode, log.read().decode("utf-8", "replace")

    def _wait(self, process: subprocess.Popen[bytes], stage: str, progress: Progress) -> None:
        for poll in range(int(_TIMEOUT_S / _POLL_S)):
            try:
                process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                progress(stage, min(0.95, poll / _USUAL_POLLS))
            else:
                return
        raise BuildFailed(f"{self.name} did not end within {_TIMEOUT_S:.0f} s", remedy=self.hint)

    def _started(self, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - words that a toolchain of ours made
                self.words,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that nothing it starts outlives it
            )
        except OSError as error:
            raise BuildFailed(f"{self.name} cannot be started: {error.strerror}") from error
