"""A kernel that is killed in the middle of a request leaves the intent behind: what may have happened stays said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from remit.host import read_journal

CALL = """
import sys
from remit.host import Kernel
with Kernel.open(sys.argv[1], serve=False) as kernel:
    kernel.call("acme/prober:post", sys.argv[2])
"""


def test_killed_between_sending_and_outcome(new_arena, tmp_path, ends):
    with new_arena(tmp_path) as arena:
        arena.kernel.close()
        started = []
        arena.server.answers = [lambda *_: os.kill(started[0].pid, signal.SIGKILL)]
        url = arena.url("127.0.0.1")
        process = subprocess.Popen([sys.executable, "-c", CALL, str(arena.root / "home"), url])
        started.append(process)
        assert process.wait(60) == -signal.SIGKILL
        journal = read_journal(arena.root / "home")
        try:
            kinds = [record.event.type for record in journal.read()]
        finally:
            journal.close()
    assert kinds[-1] == "egress.intended"
    ends("the intent is on disk")
