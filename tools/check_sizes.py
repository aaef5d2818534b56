"""Holds the sizes that the design promises: the kernel's whole, and every module's."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KERNEL_LINES = 2_000
MODULE_LINES = 400


def faults(root: Path) -> list[str]:
    """What is too large under this checkout, as lines for people."""
    lines = {path: len(path.read_bytes().splitlines()) for path in sorted((root / "remit").rglob("*.py"))}
    found = [
        f"{path.relative_to(root)}: {count} lines, {MODULE_LINES} at most: split it by what it is about"
        for path, count in lines.items()
        if count > MODULE_LINES
    ]
    kernel = sum(count for path, count in lines.items() if path.is_relative_to(root / "remit" / "kernel"))
    if kernel > KERNEL_LINES:
        found.append(f"remit/kernel: {kernel} lines, {KERNEL_LINES} at most: move what is not the kernel's out of it")
    return found


if __name__ == "__main__":
    found = faults(ROOT)
    print("\n".join(found) or "sizes: fine")
    sys.exit(bool(found))
