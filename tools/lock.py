"""Chooses exact versions with hashes for `requirements/*.txt`. `--upgrade` takes the newest that the ranges allow.

No index and no machine is named in the result, so that it installs from any index with the same files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--quiet"]
DEV, RUN, BENCH = "requirements/dev.txt", "requirements/run.txt", "requirements/bench.txt"


def main() -> None:
    """Lock development first; the others are held to the same versions, so that all share one environment."""
    compile_ = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *sys.argv[1:]]
    # Where packages come from is the machine's business; local wheel folders would leave their paths in the lock.
    environment = {key: value for key, value in os.environ.items() if key not in {"UV_FIND_LINKS", "PIP_FIND_LINKS"}}
    sources = ["pyproject.toml", "requirements/build.in"]
    for words in (
        ["--extra", "dev", *sources, "-o", DEV],
        ["--extra", "author", "--extra", "http", *sources, "-c", DEV, "-o", RUN],
        ["--extra", "bench", *sources, "-c", DEV, "-o", BENCH],
    ):
        subprocess.run([*compile_, *words], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
