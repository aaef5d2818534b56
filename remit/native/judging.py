"""What native code offers, found out by reading it: nothing of it runs before policy and the operator have said yes."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping

from remit.errors import ArtifactInvalid
from remit.schemas.modules import SDK_ENTRY, module_path

__all__ = ["FACES", "faces_of"]

FACES: Mapping[str, str] = {"provider": "Provider", "handler": "Handler"}
"""By the interface of the world: the class that a unit's module has for it."""


def faces_of(modules: Mapping[str, str], entry: str) -> frozenset[str]:
    """The interfaces that the module ``entry`` serves.

    :raises ArtifactInvalid: if it is not there, a module is no Python, or the SDK is missing
    """
    where = module_path(modules, entry)
    if where is None:
        raise ArtifactInvalid(f"the native code has no module {entry!r}", remedy="correct native.module in unit.toml")
    if SDK_ENTRY not in modules:
        raise ArtifactInvalid(f"the native code has no {SDK_ENTRY}", remedy="build it with 'remit unit build'")
    trees = {path: _parsed(path, source) for path, source in modules.items()}
    named = set(_names(trees[where]))
    return frozenset(interface for interface, name in FACES.items() if name in named)


def _parsed(path: str, source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd spelling is the author's to hear of, when they build
            return ast.parse(source, path)
    except SyntaxError as error:
        raise ArtifactInvalid(f"{path}:{error.lineno}: {error.msg}", remedy="correct the source") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ArtifactInvalid(f"{path} cannot be read as Python: {type(error).__name__}") from error


def _names(module: ast.Module) -> Iterator[str]:
    """What a module's top level defines or imports by name."""
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
