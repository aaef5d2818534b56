"""Installs the programs that tests talk to and that are not Python packages, where this may be done; else names them.

A test that needs one of them says so, and the run's summary names what was not tested for want of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = {"docker-registry": "docker-registry"}
"""Debian's package by program."""


def main() -> None:
    """Install what is missing; a machine that does not allow it is told, and the tests go on without."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"not on this machine: {', '.join(missing)}; what needs them is not tested", file=sys.stderr)
        return
    print(f"installing {', '.join(missing)} for the tests (once)")
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        if subprocess.run(["apt-get", *words], check=False, **quiet).returncode:
            print(f"apt-get {words[0]} failed; what needs {', '.join(missing)} is not tested", file=sys.stderr)
            return


if __name__ == "__main__":
    main()
