"""Writes the pages of ``docs/reference`` from the code: commands, error codes, hooks, schemas. A test holds them to it.

python tools/reference.py
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"
_NOTE = "This page is made from the code by `tools/reference.py`.\n"
_WIDTH = 110
_DEEPEST = 6


def pages() -> dict[str, str]:
    """Every page's text by its file name."""
    made: dict[str, Callable[[], Iterator[str]]] = {
        "cli.md": _commands,
        "errors.md": _errors,
        "hooks.md": _hooks,
        "schemas.md": _schemas,
    }
    return {name: "\n".join(lines()).rstrip() + "\n" for name, lines in made.items()}


# ---- commands ----


def _commands() -> Iterator[str]:
    import click  # noqa: PLC0415 - here and below: each page loads what it is about

    from remit.cli.root import root  # noqa: PLC0415

    yield from ("# Commands", "", _NOTE)
    yield "Every command takes `--home DIR` (or `REMIT_HOME`, or `remit --home DIR COMMAND`) and `--json`. Exit codes:"
    yield "0 done, 1 error, 2 changes pending, 3 refused by policy or consent needed, 64 usage, 130 interrupted.\n"
    # A command keeps the names of its help option from the first context that asks: the root's own, as when it is run.
    settings = root.context_settings | {"max_content_width": _WIDTH}
    with click.Context(root, info_name="remit", terminal_width=_WIDTH, **settings) as top:
        for name in root.list_commands(top):
            command = root.get_command(top, name)
            if isinstance(command, click.Group):
                with click.Context(command, parent=top, info_name=name) as group:
                    yield f"## remit {name}\n\n{command.get_short_help_str(_WIDTH)}\n"
                    for sub in command.list_commands(group):
                        yield from _command(command.get_command(group, sub), group, f"remit {name} {sub}", "###")
            else:
                yield from _command(command, top, f"remit {name}", "##")


def _command(command: Any, parent: Any, words: str, level: str) -> Iterator[str]:
    import click  # noqa: PLC0415

    context = click.Context(command, parent=parent, info_name=words.rpartition(" ")[2])
    yield f"{level} {words}\n"
    yield f"```text\n{context.get_help()}\n```\n"


# ---- error codes ----


def _errors() -> Iterator[str]:
    from remit import errors  # noqa: PLC0415

    yield from ("# Error codes", "", _NOTE)
    yield "A code is stable: it never means something else. `error[CODE]: what — remedy` is what the command line says;"
    yield "the same stands in `error.code`, `.message` and `.remedy` of what Python raises and of the JSON.\n"
    yield "| code | error | when | exit | remedy, where there is one for all |"
    yield "| --- | --- | --- | --- | --- |"
    for code, kind in errors.catalogue().items():
        said = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
        yield f"| {code} | `{kind.__name__}` | {_cell(said)} | {kind.exit_code} | {_cell(kind.default_remedy)} |"


def _cell(text: str) -> str:
    return _roles(text).replace("|", "\\|").replace("\n", " ")


def _roles(text: str) -> str:
    """Docstrings speak reStructuredText: their roles and literals as Markdown's code."""
    text = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


# ---- hooks ----


def _hooks() -> Iterator[str]:
    from remit.kernel import hookspecs  # noqa: PLC0415

    yield from ("# Hooks", "", _NOTE)
    yield "What a plugin may implement, with `remit.kernel.hookspecs.hookimpl`; it takes the arguments that it wants."
    yield "How to make a plugin, and what happens when it misbehaves: [plugins](../plugins.md).\n"
    for name, hook in vars(hookspecs).items():
        if name.startswith("remit_"):
            signature = str(inspect.signature(hook)).replace("'", "")  # annotations are strings
            yield f"## {name}\n\n```python\ndef {name}{signature}\n```\n"
            yield _parameters(inspect.getdoc(hook) or "") + "\n"
            if hook.remit_spec.get("firstresult"):
                yield "The first answer counts.\n"


def _parameters(text: str) -> str:
    """The docstring's ``:param name:`` lines as a list."""
    return _roles(re.sub(r"^:param (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE))


# ---- schemas ----


def _schemas() -> Iterator[str]:
    from remit.schemas import text  # noqa: PLC0415

    yield from ("# Schemas", "", _NOTE)
    yield "A file is judged by these (JSON Schema 2020-12, in `remit/schemas`); unknown keys are faults.\n"
    for path in sorted((ROOT / "remit" / "schemas").glob("*-v1.json")):
        schema = json.loads(text(path.name))
        yield f"## {schema.get('title', path.stem)}\n\n`{path.name}`. {schema.get('description', '')}\n"
        yield "| key | what stands there | |\n| --- | --- | --- |"
        yield from _keys(schema, schema, "", 0)
        yield ""
    yield "## unit.wit\n\nThe contract between a sandboxed unit and the kernel.\n"
    yield f"```text\n{text('unit.wit').rstrip()}\n```"


def _keys(schema: dict[str, Any], whole: dict[str, Any], path: str, depth: int) -> Iterator[str]:
    required = schema.get("required", [])
    for name, found in schema.get("properties", {}).items():
        inner = _resolved(found, whole)
        place = f"{path}.{name}" if path else name
        items = _resolved(inner.get("items", {}), whole)
        yield f"| `{place}` | {_cell(_said(inner, items))} | {'required' if name in required else ''} |"
        below, at = (items, f"{place}[]") if "properties" in items else (inner, place)
        if depth < _DEEPEST:
            yield from _keys(below, whole, at, depth + 1)
    more = _resolved(schema.get("additionalProperties", {}), whole)
    if "properties" in more and depth < _DEEPEST:
        yield from _keys(more, whole, f"{path}.NAME" if path else "NAME", depth + 1)


def _resolved(schema: Any, whole: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref", "")
    return schema | whole.get("$defs", {}).get(reference.rpartition("/")[2], {}) if reference else schema


def _said(schema: dict[str, Any], items: dict[str, Any]) -> str:
    """One line for people: the kind of value, its bounds, and what its author says of it."""
    if "const" in schema:
        kind = f"`{json.dumps(schema['const'])}`"
    elif "enum" in schema:
        kind = " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    else:
        types = schema.get("type", "any JSON")
        kind = " or ".join(types) if isinstance(types, list) else types
        if kind == "array" and items:
            kind = f"array of {items.get('description') or items.get('type', 'values')}"
    bounds = [
        f"{words} {schema[key]}"
        for key, words in (("minimum", "at least"), ("maximum", "at most"), ("maxItems", "at most"))
        if key in schema
    ]
    return "; ".join(filter(None, [", ".join([kind, *bounds]), schema.get("description", "")]))


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for name, text_of in pages().items():
        (PAGES / name).write_text(text_of, "utf-8")
    sys.exit(0)
