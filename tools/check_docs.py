"""Holds README and docs to the code: install commands, versions, error codes and the table of formats.

It reads text only; whether the commands of the docs *work* is for the tests to say.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

_CODE = re.compile(r"\bRM-\d{4}\b")
_INSTALL = re.compile(
    r"(?:pip install|uv add|uv pip install)\s+[^`\n]*?\bremit(\[[a-z, -]+\])?(?:\s*([=<>~!]=?\s*[\w.*]+))?"
)
_PYTHON = re.compile(r"Python\s*(?:≥|>=)\s*(\d+\.\d+)")
_TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
_CODE_TEXT = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_ROW = re.compile(r"^\|\s*`?([A-Z]+)`?\s*\|\s*`?([^`|]+?)`?\s*\|", re.MULTILINE)


def faults(root: Path, codes: set[str], formats: dict[str, str]) -> list[str]:
    """What the docs under this checkout say that is not so, as lines for people.

    ``codes`` are the error codes that exist, ``formats`` the constants of :mod:`remit.schemas.formats` as text.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    found: list[str] = []
    for page in _pages(root):
        text = page.read_text("utf-8")
        where = page.relative_to(root)
        found += [f"{where}: there is no error code {code}" for code in sorted(set(_CODE.findall(text)) - codes)]
        found += [f"{where}: {fault}" for fault in _install_faults(text, project)]
        found += [
            f"{where}: there is no 'make {target}'"
            for code in _CODE_TEXT.findall(text)
            for target in _TARGET.findall(code)
            if target not in targets
        ]
    return found + _format_faults(root, formats)


def _pages(root: Path) -> list[Path]:
    tops = [path for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md") if (path := root / name).exists()]
    return tops + sorted((root / "docs").rglob("*.md"))


def _install_faults(text: str, project: dict[str, Any]) -> list[str]:
    extras = set(project.get("optional-dependencies", {}))
    found = []
    for names, pin in _INSTALL.findall(text):
        asked = {name.strip() for name in names.strip("[]").split(",") if name.strip()}
        found += [f"there is no extra {extra!r} to install" for extra in sorted(asked - extras)]
        version = pin.lstrip("=<>~! ")
        if version and not project["version"].startswith(version.rstrip(".*")):
            found.append(f"installs remit {pin}, this is {project['version']}")
    wanted = project["requires-python"].removeprefix(">=")
    found += [
        f"asks for Python {asked}, pyproject.toml for {wanted}" for asked in _PYTHON.findall(text) if asked != wanted
    ]
    return found


def _format_faults(root: Path, formats: dict[str, str]) -> list[str]:
    page = root / "docs" / "formats.md"
    if not page.exists():
        return ["docs/formats.md is missing: it holds a table of every format and its version"]
    table = dict(_ROW.findall(page.read_text("utf-8")))
    found = [f"docs/formats.md: {name} is not in the table" for name in sorted(formats.keys() - table.keys())]
    found += [f"docs/formats.md: there is no format {name}" for name in sorted(table.keys() - formats.keys())]
    found += [
        f"docs/formats.md: {name} is {formats[name]}, not {table[name]}"
        for name in sorted(formats.keys() & table.keys())
        if formats[name] != table[name]
    ]
    return found


def _from_code() -> tuple[set[str], dict[str, str]]:
    sys.path.insert(0, str(ROOT))
    from remit import errors  # noqa: PLC0415 - only when run, so that tests can plant their own
    from remit.schemas import formats  # noqa: PLC0415

    return set(errors.catalogue()), {name: str(getattr(formats, name)) for name in formats.__all__}


if __name__ == "__main__":
    found = faults(ROOT, *_from_code())
    print("\n".join(found) or "docs: fine")
    sys.exit(bool(found))
