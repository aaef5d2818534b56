"""Whose guests run in processes of their own is policy's to say, and at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from remit.host import Kernel

OUT = """@id("workers.all")
@why("everything has a worker here")
forbid (principal is Remit::Unit, action == Remit::Action::"unit:inline", resource);
"""


def _workers():
    """How many processes of this one's are workers."""
    children: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since, which has no workers
            children += (task / "children").read_text().split()
    return sum(b"remit.sandbox.running.worker" in Path("/proc", pid, "cmdline").read_bytes() for pid in children)


@pytest.mark.parametrize(("posture", "workers"), [("relaxed", 0), ("standard", 0), ("strict", 1)])
def test_the_posture_decides_where_an_unsigned_unit_runs(active_home, posture, workers):
    config = active_home / "remit.toml"
    config.write_text(config.read_text().replace('posture = "standard"', f'posture = "{posture}"'))
    with Kernel.open(active_home, serve=False) as kernel:
        assert kernel.call("acme/echo:echo", {"a": 1}) == {"a": 1}
        assert _workers() == workers


def test_a_policy_that_is_published_holds_for_the_next_call(active_home):
    with Kernel.open(active_home, serve=False) as kernel:
        kernel.call("acme/echo:echo", 1)
        assert _workers() == 0
        kernel.policy_publish({"policy/workers.cedar": OUT})
        assert kernel.call("acme/echo:echo", 2) == 2
        assert _workers() == 1
