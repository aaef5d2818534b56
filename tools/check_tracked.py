"""Refuses generated files and anything binary in version control: what can be made is made, not kept."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = re.compile(
    r"(^|/)(__pycache__|\.venv|\.cache|\.remit|build|dist|[^/]*\.egg-info|\.[a-z]+_cache|\.hypothesis)/"
    r"|\.(wasm|cwasm|unit|pyc|whl|tar\.gz|sqlite3?|db|log|orig|rej)$"
    r"|(^|/)\.coverage"
)


def generated(paths: list[str]) -> list[str]:
    """Those of the tracked paths that look generated."""
    return [path for path in paths if GENERATED.search(path)]


def binary(root: Path, paths: list[str]) -> list[str]:
    """Those of the tracked paths whose first 8 KiB hold a zero byte."""
    found = []
    for path in paths:
        if (root / path).is_file():
            with (root / path).open("rb") as file:
                if b"\0" in file.read(8192):
                    found.append(path)
    return found


def tracked(root: Path) -> list[str]:
    """Paths that git tracks, or is about to."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    return [path for path in listing.decode().split("\0") if path]


if __name__ == "__main__":
    if not (ROOT / ".git").exists():
        print("tracked files: not a checkout, nothing to check")
        sys.exit(0)
    paths = tracked(ROOT)
    found = [f"{path}: generated, remove it with git rm --cached" for path in generated(paths)]
    found += [f"{path}: binary" for path in binary(ROOT, paths)]
    print("\n".join(found) or "tracked files: fine")
    sys.exit(bool(found))
