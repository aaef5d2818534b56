"""Machine code is made once in a run: homes of tests whose subject is not the compiler are given what another had made.

Only the compiler's own process is saved. The work folder, the check of the code's digest, the seal of the home's own
key and all that reads it happen as ever, and what has not been compiled in this run is compiled. The folder belongs to
one run, so that no other compiler, engine or layout has written into it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

FOLDER = "REMIT_TESTS_COMPILED"
"""The variable that names the run's folder to processes that tests start: see ``starting/sitecustomize.py``."""


def sharing(folder: Path, run: Callable[..., Any]) -> Callable[..., Any]:
    """``remit.sandbox.code.compiling._run``, asked once for each component and way of compiling it."""
    outcome_type = importlib.import_module("remit.sandbox.code.compiler").Outcome

    def shared(job, work, size, bounds, progress, label):
        digest = hashlib.sha256(Path(job.source).read_bytes()).hexdigest()
        kept = folder / f"{digest}-{'metered' if job.metered else 'plain'}"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second waits for the first one's code
            if kept.exists():
                progress(f"compiling {label}", 0.0)
                shutil.copyfile(kept / "code", job.target)
                progress(f"compiling {label}", 1.0)
                return msgspec.json.decode((kept / "outcome").read_bytes(), type=outcome_type)
            outcome = run(job, work, size, bounds, progress, label)
            if not outcome.error:
                draft = kept.with_suffix(f".{os.getpid()}")
                draft.mkdir()
                shutil.copyfile(job.target, draft / "code")
                (draft / "outcome").write_bytes(msgspec.json.encode(outcome))
                draft.rename(kept)
        return outcome

    return shared
