"""Installs programs that are no Python packages and that tests or benchmarks talk to, where this may be done.

Where it may not, a test that needs one says so, and the run's summary names what was not tested for want of it.
``python tools/system_packages.py bench`` is for what figures are compared with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = {
    "test": {"chromium": "chromium", "docker-registry": "docker-registry"},
    "bench": {"chromium": "chromium", "redis-server": "redis-server"},
}
"""Debian's package by program, for each use."""


def main(use: str) -> None:
    """Install what is missing; a machine that does not allow it is told, and the run goes on without."""
    missing = [package for program, package in PROGRAMS[use].items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"not on this machine: {', '.join(missing)}; the {use} goes on without", file=sys.stderr)
        return
    print(f"installing {', '.join(missing)} for the {use} (once)")
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        if subprocess.run(["apt-get", *words], check=False, **quiet).returncode:
            print(f"apt-get {words[0]} failed; the {use} goes on without {', '.join(missing)}", file=sys.stderr)
            return


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test")
