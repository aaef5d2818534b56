"""Narrows the shipped WIT to what a manifest declares: an undeclared capability is then not there to be imported.

It writes text only; the toolchain judges whether a guest fits the world.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from remit.errors import BuildFailed
from remit.schemas import text
from remit.units.manifest import interfaces_of

if TYPE_CHECKING:
    from remit.units.manifest import Manifest

__all__ = ["WORLD_NAME", "exports_of", "narrowed"]

WORLD_NAME = "narrowed"
"""Name of the generated world; a guest's module must not have it."""

_WORLDS = re.compile(r"(?:^///?[^\n]*\n)*^world\s+[a-z-]+\s*\{[^{}]*\}\n?", re.MULTILINE)


def exports_of(manifest: Manifest) -> tuple[str, ...]:
    """Short names of the interfaces that a unit with this manifest must export, sorted.

    :raises BuildFailed: if the manifest declares nothing that code could serve
    """
    if manifest.kind == "transform":
        return ("transformer",)
    ours = any(not action.export for action in manifest.actions)
    names = tuple(name for name, wanted in (("handler", manifest.on), ("provider", ours)) if wanted)
    if not names and not manifest.actions:
        raise BuildFailed(
            f"{manifest.id} declares nothing to run",
            remedy="declare an [[action]] or a topic under [[on]] in unit.toml",
        )
    return names


def narrowed(manifest: Manifest) -> str:
    """The WIT package ``remit:unit`` with one world, :data:`WORLD_NAME`, made for this manifest.

    :raises BuildFailed: if the manifest declares nothing that code could serve
    """
    interfaces = _WORLDS.sub("", text("unit.wit")).rstrip()
    # "types" comes with whatever uses it
    lines = [f"  import {name};" for name in sorted(interfaces_of(manifest) - {"types"})]
    lines += [f"  export {name};" for name in exports_of(manifest)]
    return "\n".join([interfaces, "", f"world {WORLD_NAME} {{", *lines, "}", ""])
