"""What a component is, without running it: imports and exports, the actions that could be made of it, what it needs.

A component of our world offers its manifest's actions. Any other component's exported functions can be actions too:
their schemas follow from their WIT types (:mod:`remit.sandbox.wit.derive`). Nothing is admitted or kept here.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from remit.kernel.model import Exported
from remit.kernel.ports import Progress, no_progress
from remit.sandbox.code.compiling import CompileBounds, compile_component
from remit.sandbox.wit.contract import EXPORTS, IMPORTS, Shape, is_closed_wasi, short_name
from remit.sandbox.wit.plain import plain_functions

__all__ = ["MAX_COMPONENT", "DerivedAction", "ImportView", "Inspection", "inspect_component"]

MAX_COMPONENT = CompileBounds().size
"""Bytes of a component that are looked at."""

ImportClass = Literal["ambient", "deterministic", "closed-wasi", "capability", "refused"]

_CLASSES: dict[str, ImportClass] = {
    "types": "ambient", "log": "ambient", "parameters": "ambient", "state": "ambient", "clock": "deterministic",
    "random": "deterministic",
}  # fmt: skip
_CAPABILITIES = {
    "actions": ("action:call",),
    "events": ("events:emit",),
    "files": ("fs:read", "fs:write"),
    "http": ("net:http",),
    "secrets": ("secret:read",),
}
_FILES = {"read": "fs:read", "list": "fs:read", "write": "fs:write"}
_ACTION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class ImportView(msgspec.Struct, frozen=True):
    """One import, and what installing it would mean."""

    name: str
    kind: ImportClass
    functions: dict[str, str]


class DerivedAction(msgspec.Struct, frozen=True):
    """An exported function as an action."""

    name: str
    export: str
    """The export, and the function in it after ``#`` where it is an interface."""
    signature: str
    schemas: Exported | None
    problem: str = ""
    """Why it cannot be an action."""


class Inspection(msgspec.Struct, frozen=True):
    """A component, seen from outside."""

    digest: str
    size: int
    memories: int
    world: Literal["tool", "transform", "other"]
    """Ours, where it exports our interfaces; ``other`` for any other component."""
    imports: tuple[ImportView, ...]
    exports: tuple[str, ...]
    actions: tuple[DerivedAction, ...]
    capabilities: tuple[str, ...]
    """Capability actions that its manifest would have to declare."""
    refused: tuple[str, ...]
    """Imports that no host offers: with any of these it cannot be installed."""


def inspect_component(component: bytes, progress: Progress = no_progress) -> Inspection:
    """Compile a component within the compiler's bounds, throw the code away, and tell what was seen.

    :raises ArtifactInvalid: if it is no component, or takes too much to compile
    """
    digest = f"sha256:{hashlib.sha256(component).hexdigest()}"
    with (
        tempfile.TemporaryDirectory(prefix="remit-inspect-") as folder,
        compile_component(
            component, metered=False, folder=Path(folder), bounds=CompileBounds(), progress=progress, label="component"
        ) as compiled,
    ):
        shape = compiled.shape
    imports = tuple(_imported(name, functions) for name, functions in sorted(shape.imports.items()))
    return Inspection(
        digest=digest,
        size=len(component),
        memories=shape.memories,
        world=_world(shape),
        imports=imports,
        exports=tuple(sorted(shape.exports)),
        actions=tuple(_actions(shape)),
        capabilities=tuple(sorted({action for one in imports for action in _needed(one)})),
        refused=tuple(one.name for one in imports if one.kind == "refused"),
    )


def _imported(name: str, functions: Any) -> ImportView:
    if functions is None:
        return ImportView(name, "refused", {})
    short = short_name(name) or ""
    kind: ImportClass = "refused"
    if is_closed_wasi(name):
        kind = "closed-wasi"
    elif short in IMPORTS and all(str(IMPORTS[short].get(each)) == text for each, text in functions.items()):
        kind = _CLASSES.get(short, "capability")
    return ImportView(name, kind, dict(functions))


def _needed(view: ImportView) -> Iterator[str]:
    short = short_name(view.name) or ""
    if view.kind == "capability" and short == "files":
        yield from (_FILES[function] for function in view.functions)
    elif view.kind == "capability":
        yield from _CAPABILITIES[short]


def _world(shape: Shape) -> Literal["tool", "transform", "other"]:
    ours = {short_name(name) for name in shape.exports}
    if ours & {"provider", "handler"}:
        return "tool"
    return "transform" if "transformer" in ours else "other"


def _actions(shape: Shape) -> Iterator[DerivedAction]:
    """Every exported function that is not our world's own: those are called by the manifest's action names."""
    functions = [
        (export, function, signature)
        for export, members in sorted(shape.exports.items())
        if members is not None and short_name(export) not in EXPORTS
        for function, signature in sorted(members.items())
    ]
    offered = plain_functions(shape)
    plain = Counter(function or export for export, function, _ in functions)
    taken: Counter[str] = Counter()
    for export, function, signature in functions:
        name = function or export
        if plain[name] > 1 and function:
            name = f"{export.partition('@')[0].rpartition('/')[2]}-{function}"
        taken[name] += 1
        if taken[name] > 1:  # interfaces of one name, of other packages or versions
            name = f"{name}-{taken[name]}"
        where = f"{export}#{function}" if function else export
        found = offered[where]
        problem = found.problem
        if not _ACTION.fullmatch(name):
            problem = "it belongs to a resource, or its name is no action's"
        yield DerivedAction(name, where, signature, None if problem else found, problem)
