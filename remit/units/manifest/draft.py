"""The text of a ``unit.toml`` for a component that somebody else made: everything that can be known, ready to install.

What a component cannot say (which origins it may reach, what its actions are called where that is not in its types) a
comment leaves to a person: an install refuses what is used and not declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from remit.schemas import formats

__all__ = ["draft", "draft_id"]

_PACKAGE = re.compile(r"(?P<publisher>[a-z0-9-]+):(?P<name>[a-z0-9-]+)/[^@#]+(@(?P<version>[0-9]+\.[0-9]+\.[0-9]+))?")
_OURS = re.compile(r"remit:unit/([a-z]+)@")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EXAMPLES = {
    "action:call": "acme/redact:redact",
    "events:emit": "ticket.checked",
    "fs:read": "/srv/texts",
    "fs:write": "/srv/texts",
    "net:http": "https://api.example.com",
    "secret:read": "api-token",
}


def draft_id(exports: Iterable[str], stem: str) -> tuple[str, str]:
    """An id and a version for a component: those of the package of its first interface, or else of its file's name."""
    for export in exports:
        match = None if _OURS.match(export) else _PACKAGE.match(export)
        if match and _LABEL.fullmatch(match["publisher"]) and _LABEL.fullmatch(match["name"]):
            return f"{match['publisher']}/{match['name']}", match["version"] or "0.1.0"
    label = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].strip("-")
    return f"local/{label or 'unit'}", "0.1.0"


def draft(
    unit: tuple[str, str],
    artifact: str,
    exports: Iterable[str],
    actions: Sequence[tuple[str, str]],
    capabilities: Sequence[str],
) -> str:
    """The manifest.

    :param unit: id and version
    :param artifact: the component's file, beside the manifest
    :param exports: what it exports
    :param actions: name and export of each function that can be called
    :param capabilities: capability actions that it needs
    """
    serves = {match[1] for export in exports if (match := _OURS.match(export))}
    kind = "transform" if serves == {"transformer"} else "tool"
    head = {"schema": formats.UNIT, "id": unit[0], "version": unit[1], "kind": kind}
    lines = [f"{key} = {_quoted(value)}" for key, value in head.items()]
    lines += ["", "[runtime]", f"artifact = {_quoted(artifact)}"]
    if kind == "transform":
        lines += ["", "[transform]", 'writes = ["assistant"]  # the documents that it changes']
    if "provider" in serves:
        lines += ["", "[[action]]", 'name = "run"  # the types do not say what its provider calls its actions']
    if "handler" in serves:
        lines += ["", "[[on]]", 'topic = "ticket.created"  # the topics that it reacts to']
    for name, export in actions:
        lines += ["", "[[action]]", f"name = {_quoted(name)}", f"export = {_quoted(export)}"]
    for action in capabilities:
        lines += ["", f"# It imports what needs {action}: say which, and why.", "# [[capability]]"]
        lines += [f"# action = {_quoted(action)}", f"# resource = {_quoted(_EXAMPLES[action])}", '# reason = ""']
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """A TOML string: JSON's are, but for characters that no file name, id or export has here."""
    return msgspec.json.encode(text).decode()
