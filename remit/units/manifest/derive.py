"""What follows from a manifest: the bounds of a call, and the interfaces that its component may import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.model import Limits

if TYPE_CHECKING:
    from remit.units.manifest.model import Manifest

__all__ = ["interfaces_of", "limits_of"]

_PURE = frozenset({"types", "log", "parameters"})
_OF_TOOLS = _PURE | {"state", "clock", "random"}
_BY_CAPABILITY = {
    "action:call": "actions",
    "events:emit": "events",
    "fs:read": "files",
    "fs:write": "files",
    "net:http": "http",
    "secret:read": "secrets",
}


def limits_of(manifest: Manifest) -> Limits:
    """The bounds of one call: what ``[runtime]`` says, defaults for the rest. The host's ceilings are not applied."""
    runtime = manifest.runtime
    if runtime is None:
        return Limits()
    return Limits(**{name: getattr(runtime, name) for name in Limits.__struct_fields__ if hasattr(runtime, name)})


def interfaces_of(manifest: Manifest) -> frozenset[str]:
    """Short WIT names of the interfaces that the manifest entitles its component to import.

    A config unit has no component; a transform gets what has no effect and no clock; a tool also its own state, the
    recorded clock and randomness, and one interface per declared capability.
    """
    if manifest.kind == "config":
        return frozenset()
    if manifest.kind == "transform":
        return _PURE
    declared = {_BY_CAPABILITY.get(capability.action) for capability in manifest.capabilities}
    return _OF_TOOLS | {name for name in declared if name is not None}
