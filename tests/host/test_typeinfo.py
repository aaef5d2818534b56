"""Structs are ready for threads: first decodings from many threads at once do not take the process down."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
from remit.host import Kernel
with Kernel.open(sys.argv[1], serve=False) as kernel:
    gate = threading.Barrier(8)
    def go():
        gate.wait()
        kernel.call("acme/echo:echo", {"a": 1})
    threads = [threading.Thread(target=go) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_first_calls_from_eight_threads_at_once_end_well(active_home):
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(active_home)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
