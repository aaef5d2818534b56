"""The shipped policy sets, the home's own files on top of them, and the one door through which a set is loaded."""

from __future__ import annotations

import hashlib
import os
import stat
from importlib import resources
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from remit.policy.deciding.canaries import run_canaries
from remit.policy.sets.engine import Engine, parse_schema
from remit.policy.sets.findings import Finding, refuse
from remit.policy.sets.policyset import compile_set
from remit.policy.sets.prescan import MAX_FILE
from remit.policy.sets.yielding import rest
from remit.schemas import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cedarpy import pst

__all__ = ["POSTURES", "PolicySet", "check", "load", "posture_files", "read_files", "schema_text"]

POSTURES: dict[str, tuple[str, ...]] = {
    "relaxed": ("base", "standard", "relaxed"),
    "standard": ("base", "standard"),
    "strict": ("base", "standard", "strict"),
}
"""Each posture is a stack of shipped files: what it adds is one short file to read."""

_MAX_FILES = 256


class PolicySet(NamedTuple):
    """A set that is fit to decide."""

    engine: Engine
    digest: str
    """``sha256:…`` over the schema and every file."""
    posture: str = ""
    files: Mapping[str, str] = MappingProxyType({})
    """The home's own files, by path relative to the home."""
    trees: Mapping[str, pst.Template] = MappingProxyType({})
    """Policies by their texts, for the next set that has them."""


def schema_text() -> str:
    """The Cedar schema that policies are checked against."""
    return text("remit.cedarschema")


def posture_files(posture: str) -> dict[str, str]:
    """The texts of a posture by file name; empty for one that does not exist."""
    folder = resources.files("remit.policy") / "postures"
    names = [f"{name}.cedar" for name in POSTURES.get(posture, ())]
    return {f"posture:{name}": (folder / name).read_text(encoding="utf-8") for name in names}


def read_files(root: Path, patterns: Iterable[str]) -> tuple[dict[str, str], list[Finding]]:
    """The home's own policy files, by path relative to the home, in the order of their names.

    A pattern may match nothing; a plain name must exist.
    """
    files: dict[str, str] = {}
    findings: list[Finding] = []
    for pattern in patterns:
        inner = PurePosixPath(pattern)
        if not pattern or "\0" in pattern or inner.is_absolute() or ".." in inner.parts:
            findings.append(Finding(ascii(pattern[:80]), "the pattern must stay inside the home"))
            continue
        matches = sorted(root.glob(pattern))
        if not matches and not set(pattern) & set("*?["):
            findings.append(Finding(pattern, "there is no such file"))
        for path in matches[: _MAX_FILES + 1]:
            name = path.relative_to(root).as_posix()
            if name in files:
                continue
            content = _read(path)
            if isinstance(content, str):
                files[name] = content
            else:
                findings.append(Finding(name, str(content)))
    if len(files) > _MAX_FILES:
        findings.append(Finding("(policy set)", f"there are more than {_MAX_FILES} policy files"))
    return files, findings


def _read(path: Path) -> str | ValueError:
    """The text of a regular file; what is wrong with it, otherwise."""
    try:
        # Without O_NONBLOCK a named pipe would hold the start for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ValueError("it is not a regular file")
            data = file.read(4 * MAX_FILE + 1)
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ValueError("it is not UTF-8, or too large")
    except OSError as error:
        return ValueError(f"it cannot be read: {error.strerror}")


def _compile(
    posture: str, files: Mapping[str, str], known: Mapping[str, pst.Template]
) -> tuple[PolicySet | None, list[Finding]]:
    shipped = posture_files(posture)
    if not shipped:
        names = ", ".join(POSTURES)
        return None, [Finding("remit.toml", f"there is no posture {posture[:40]!a}, only {names}")]
    taken = shipped.keys() & files.keys()
    if taken:
        return None, [Finding(name, "the name belongs to a shipped file") for name in sorted(taken)]
    schema = parse_schema(schema_text())
    compiled = compile_set({**shipped, **files}, schema, known)
    if any(finding.severity == "error" for finding in compiled.findings):
        return None, compiled.findings
    engine = Engine(compiled.policies, schema)
    rest()
    policies = PolicySet(engine, _digest(posture, files), posture, dict(files), compiled.trees)
    rest()
    return policies, compiled.findings + run_canaries(engine, posture)


def check(posture: str, files: Mapping[str, str]) -> list[Finding]:
    """Everything that is wrong with a home's policy files on top of a posture. Never raises on their text."""
    return _compile(posture, files, {})[1]


def load(posture: str, files: Mapping[str, str], like: PolicySet | None = None) -> PolicySet:
    """The set in force for a posture and a home's files.

    :param like: a set that was loaded before: what both say is not read again
    :raises PolicyInvalid: if there is any fault; it lists them all
    """
    policies, findings = _compile(posture, files, like.trees if like is not None else {})
    if policies is None or any(finding.severity == "error" for finding in findings):
        raise refuse(findings)
    return policies


def _digest(posture: str, files: Mapping[str, str]) -> str:
    texts = {"schema": schema_text(), **posture_files(posture), **files}
    total = hashlib.sha256()
    for name, content in sorted(texts.items()):
        for part in (name, content):
            data = part.encode("utf-8")
            total.update(len(data).to_bytes(8, "big") + data)
    return f"sha256:{total.hexdigest()}"
