"""Other processes of a test: Python programs that say what they do a line at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

KERNEL = """
import sys
from remit.host import Kernel
with Kernel.open(sys.argv[1], program="other") as kernel:
    runner = kernel._rooms.runner
    run = runner.run
    def told(*arguments, **named):
        print("running", flush=True)
        return run(*arguments, **named)
    runner.run = told
    print("ready", flush=True)
    sys.stdin.readline()
print("closed", flush=True)
"""
"""Is the home's kernel until it gets a line; says when a guest starts."""


class Program:
    """A running Python program."""

    def __init__(self, source, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    @property
    def pid(self):
        return self.process.pid

    def line(self):
        """The next line that it says."""
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait(30)}"
        return line.strip()

    def until(self, word):
        """Skip to the line with this word."""
        while self.line() != word:
            pass

    def json(self):
        return json.loads(self.line())

    def tell(self, text=""):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def end(self):
        """Let it finish, and give its exit code."""
        self.process.stdin.close()
        return self.process.wait(60)

    def clean(self):
        self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                return
