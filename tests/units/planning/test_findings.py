"""Findings: whatever stands in a plan's way says how it is meant to be put right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.host import Kernel

Install = Callable[[Path], str]
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}, "key": {"type": "string"}}}
SECRET = {"type": "object", "properties": {"key": {"type": "string", "x-remit-sensitive": True}}}
SLOT = "\n[slot.guard]\n[document.strict]\nbase = { n = 1 }\nschema = { properties = { n = { type = 'integer' } } }\n"
FILLS = '[[fills]]\nslot = "guard"\naction = "echo"'
STANDS_ON = 'target = "assistant"\nop = "json-patch"\nvalue = [{ op = "copy", from = "/style", path = "/again" }]'
FAILING = '[[test]]\naction = "echo"\ninput = { n = 1 }\nexpect = { n = 2 }'

CASES: dict[str, tuple[Callable[[Any], list[Path]], dict[str, Any]]] = {
    "unit.unresolved": (lambda _author: [], {"add": ["acme/nobody"]}),
    "requires.unit": (
        lambda author: [author.config("acme/a", "{ a = 1 }", more='[requires]\nunits = { "acme/b" = "^1" }')],
        {"add": ["acme/a"]},
    ),
    "requires.remit": (
        lambda author: [author.config("acme/a", "{ a = 1 }", more='[requires]\nremit = ">=9"')],
        {"add": ["acme/a"]},
    ),
    "requires.circle": (
        lambda author: [
            author.config("acme/a", "{ a = 1 }", more='[requires]\nunits = { "acme/b" = "^1" }'),
            author.config("acme/b", "{ b = 1 }", more='[requires]\nunits = { "acme/a" = "^1" }'),
        ],
        {"add": ["acme/a"]},
    ),
    "conflicts": (
        lambda author: [
            author.config("acme/a", "{ a = 1 }", more='[requires]\nconflicts = ["acme/b"]'),
            author.config("acme/b", "{ b = 1 }"),
        ],
        {"add": ["acme/a", "acme/b"]},
    ),
    "parameters.unknown": (
        lambda author: [author.config("acme/a", "{ a = 1 }")],
        {"add": ["acme/a"], "set": {"acme/a.none": 1}},
    ),
    "parameters.invalid": (
        lambda author: [author.tool("acme/a", schema=NUMBER)],
        {"add": ["acme/a"], "set": {"acme/a.n": "one"}},
    ),
    "parameters.sensitive": (
        lambda author: [author.tool("acme/a", schema=SECRET)],
        {"add": ["acme/a"], "set": {"acme/a.key": "hunter2"}},
    ),
    "patch.parameter": (lambda author: [author.config("acme/a", '{ a = "${none}" }')], {"add": ["acme/a"]}),
    "patch.failed": (lambda author: [author.config("acme/a", STANDS_ON)], {"add": ["acme/a"]}),
    "patch.overlap": (
        lambda author: [author.config("acme/a", "{ x = 1 }"), author.config("acme/b", "{ x = 2 }")],
        {"add": ["acme/a", "acme/b"]},
    ),
    "document.unknown": (
        lambda author: [author.config("acme/a", 'target = "nowhere"\nop = "merge"\nvalue = { a = 1 }')],
        {"add": ["acme/a"]},
    ),
    "document.invalid": (
        lambda author: [author.config("acme/a", 'target = "strict"\nop = "merge"\nvalue = { n = "one" }')],
        {"add": ["acme/a"]},
    ),
    "slot.conflict": (
        lambda author: [author.tool("acme/a", more=FILLS), author.tool("acme/b", more=FILLS)],
        {"add": ["acme/a", "acme/b"]},
    ),
    "tests.failed": (lambda author: [author.tool("acme/a", more=FAILING)], {"add": ["acme/a"]}),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_stands_in_the_way_is_found_and_says_what_would_help(
    home: Path, author: Any, kernel: Kernel, install: Install, kind: str
) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write(SLOT)
    write, edits = CASES[kind]
    for folder in write(author):
        install(folder)
    found = {finding.id: finding for finding in kernel.plan(**edits).findings}
    assert found[kind].remedy, found
    assert found[kind].severity == ("warning" if kind == "patch.overlap" else "blocking")
