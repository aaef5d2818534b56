"""Whether a process outlives a policy text: each goes through every door there is, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

SURVIVES = """
import json, sys, threading
from remit.policy.sets.layout import formatted
from remit.policy.sets.engine import Engine
from remit.policy.reviewing.lint import lint
from remit.policy.postures import check

texts, stack = json.load(sys.stdin)

def tried(work, *given):
    try:
        work(*given)
    except Exception:
        pass

def work():
    for text in texts:
        files = {"policy/a.cedar": text}
        for door, given in ((check, ("standard", files)), (lint, ("standard", files)), (formatted, ("a", text)),
                            (Engine.parse, (text,))):
            tried(door, *given)
    print("survived", len(texts))

threading.stack_size(stack)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def survives(*texts, stack=512 * 1024):
    """A process goes through every door of policy text with these, on a small stack."""
    words = [sys.executable, "-c", SURVIVES]
    given = json.dumps([texts, stack])
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=250)
    assert (done.returncode, done.stdout) == (0, f"survived {len(texts)}\n"), done.stderr[-500:]
