"""Mends what is wrong with a ``unit.toml`` where there is one way to mean it. Lines change; comments and order stay.

A mend must make its fault go, or it is not made. What a unit asks for (its capabilities) is never guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from remit.errors import ManifestInvalid, ValueInvalid
from remit.schemas import Fault, load_toml
from remit.schemas.versions import is_version
from remit.schemas.wording import suggested
from remit.units.manifest.parse import parse

__all__ = ["Mend", "mended"]

_MOST_MENDS = 100
_HEADER = re.compile(r"^\s*(?P<many>\[?)\[\s*(?P<above>(?:[A-Za-z0-9_-]+\.)*)(?P<name>[A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r'^\s*(?P<name>[A-Za-z0-9_-]+)\s*=\s*(?P<value>"[^"\\]*"|[0-9.]+)?')
_ID: Final = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_TELLING: Final = {"native": ("native",), "transform": ("transform",), "tool": ("action", "on"), "config": ("patch",)}
"""By kind: what only a unit of that kind has; the first that fits."""


class Mend(msgspec.Struct, frozen=True):
    """One change of a manifest."""

    path: str
    was: str
    now: str


def mended(text: str) -> tuple[str, list[Mend]]:
    """The manifest's text mended, and every change; the text as it is where nothing is certain."""
    mends: list[Mend] = []
    while len(mends) < _MOST_MENDS:
        for fault in _faults(text):
            step = _step(text, fault)
            if step is not None:
                text = step[0]
                mends.append(step[1])
                break
        else:
            break
    return text, mends


def _faults(text: str) -> list[Fault]:
    try:
        parse(text.encode())
    except ManifestInvalid as error:
        return [Fault(**fault) for fault in error.details["faults"]]
    return []


def _step(text: str, fault: Fault) -> tuple[str, Mend] | None:
    """The text without this fault, or ``None`` where there is no one way to that."""
    for changed, mend in _candidates(text, fault):
        try:
            load_toml(changed.encode())
        except ValueInvalid:
            continue
        if changed != text and fault not in _faults(changed):
            return changed, mend
    return None


def _candidates(text: str, fault: Fault) -> Iterator[tuple[str, Mend]]:
    path, word = fault.path, suggested(fault.message)
    key = path.rpartition(".")[2]
    if word and fault.message.startswith("unknown key"):
        yield _renamed(text, path, word), Mend(path, key, word)
        return
    missing = {"schema": "unit/v1", "kind": _kind(text)}.get(_missing(fault), "")
    if missing:
        name = _missing(fault)
        yield f'{name} = "{missing}"\n{text}', Mend(name, "", missing)
    given = _value(text, path)
    if given is None:
        return
    offers = [word] if word and not path.startswith("capability") else []
    if path == "schema":
        offers.append("unit/v1")
    if path == "version":
        bare = given.strip().removeprefix("v")
        offers += [one for one in (bare, f"{bare}.0", f"{bare}.0.0") if is_version(one)]
    if path == "id":
        right = re.sub(r"[_\s]+", "-", given.strip()).lower()
        offers += [right] if _ID.fullmatch(right) else []
    for offer in offers:
        yield _replaced(text, path, offer), Mend(path, given, offer)


def _missing(fault: Fault) -> str:
    """The top-level key whose absence is the fault, or ""."""
    return fault.path if fault.message.startswith("is missing") and "." not in fault.path else ""


def _kind(text: str) -> str:
    try:
        document = load_toml(text.encode())
    except ValueInvalid:
        return ""
    return next((kind for kind, keys in _TELLING.items() if any(key in document for key in keys)), "")


def _places(text: str) -> Iterator[tuple[int, str, re.Match[str]]]:
    """Each line that names something: its number, the path that it stands at, and what was found in it."""
    prefix, tables = "", Counter[str]()
    for number, line in enumerate(text.split("\n")):
        if header := _HEADER.match(line):
            name = header["above"] + header["name"]
            prefix = f"{name}[{tables[name]}]." if header["many"] else f"{name}."
            tables[name] += 1
            yield number, name, header
        elif key := _KEY.match(line):
            yield number, prefix + key["name"], key


def _renamed(text: str, path: str, word: str) -> str:
    lines = text.split("\n")
    for number, at, match in _places(text):
        if at == path:
            lines[number] = lines[number][: match.start("name")] + word + lines[number][match.end("name") :]
    return "\n".join(lines)


def _value(text: str, path: str) -> str | None:
    """The text or number that stands at a path, if it stands on one line of its own."""
    for _, at, match in _places(text):
        if at == path and match.re is _KEY and match["value"]:
            return match["value"].strip('"')
    return None


def _replaced(text: str, path: str, value: str) -> str:
    lines = text.split("\n")
    for number, at, match in _places(text):
        if at == path and match.re is _KEY and match["value"]:
            lines[number] = f'{lines[number][: match.start("value")]}"{value}"{lines[number][match.end("value") :]}'
            break
    return "\n".join(lines)
