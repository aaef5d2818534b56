"""``python -m tests.crash``: kill operations of the lifecycle at their points and say what each next start found."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crash.killing import kill
from tests.crash.scenes import SCENES


def main() -> int:
    names = [scene.name for scene in SCENES]
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help=f"any of {', '.join(names)}; all if none")
    parser.add_argument(
        "--points", type=int, default=10_000, help="kill at so many points of each at most; all if not given"
    )
    options = parser.parse_args()
    if unknown := {*options.operations} - {*names}:
        parser.error(f"there is no operation {min(unknown)}")
    total = failed = 0
    for scene in SCENES:
        if options.operations and scene.name not in options.operations:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                verdict = kill(scene, Path(folder), options.points)
            except AssertionError as error:
                failed += 1
                sys.stdout.write(f"{scene.name:11} FAILED: {error}\n")
                continue
        killed = len(verdict.old) + len(verdict.new)
        total += killed
        sys.stdout.write(
            f"{scene.name:11} {killed} of {verdict.points} points: {len(verdict.old)} old, {len(verdict.new)} new\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"{total} kill points; every next start was old or new, whole\n" if not failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
