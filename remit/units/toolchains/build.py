"""Makes a unit's artifact from its source, in a world narrowed to its manifest, and only when something changed.

It neither validates the manifest nor judges the artifact's imports: the manifest's reader and the runner do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from remit.errors import BuildFailed
from remit.kernel.ports import Progress, no_progress
from remit.schemas.versions import in_range
from remit.units.toolchains import componentize, pymodules, qjs, rust, wat, zig
from remit.units.toolchains.artifact import Stamp, inside, write_atomically
from remit.units.toolchains.sdks import sdk_digest
from remit.units.toolchains.world import narrowed

if TYPE_CHECKING:
    from remit.units.manifest import Manifest

__all__ = ["build", "missing_tools"]


_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?P<range>[<>=!~^0-9][^;]*?)\s*(?:;.*)?$")
"""A line of a distribution's metadata (PEP 508), as far as ours are: a name and a range."""


class _Tool(NamedTuple):
    distribution: str
    """Whose version counts; "" where the SDK pins it."""
    extra: str
    """Of Remit, that brings it."""
    compile: Callable[[Path, Manifest, Progress], bytes]
    sdk: str = ""
    """The SDK that it takes in. A tool with one compiles all of the source's folder, one without a file."""
    ask: Callable[[], str] = str
    """The version of a tool that is no distribution of Python's."""
    look: Callable[[], None] = lambda: None
    """Finds out what a build would only meet, for the doctor."""


_TOOLS = {
    "componentize-py": _Tool("componentize-py", "author", componentize.compile_python, "python"),
    "componentize-qjs": _Tool("", "", qjs.compile_javascript, "js", look=qjs.check_node),
    "native": _Tool("", "", pymodules.pack_modules, "python"),
    "rustc": _Tool("", "", rust.compile_rust, "rust", rust.rust_version),
    "wat": _Tool("wasmtime", "author", wat.compile_wat),
    "zig-cc": _Tool("ziglang", "c", zig.compile_c, "c"),
}
"""By the manifest's name."""


def build(directory: Path, manifest: Manifest, progress: Progress = no_progress) -> Path:
    """Make the artifact that the manifest names, and give its path; instant when it is already there and current.

    The artifact appears whole or not at all. What makes it current: source, world, tool and its version, and that the
    file is still the one that was written.

    :raises BuildFailed: if there is nothing to build, the toolchain is missing, or it refuses the source (the message
        names the author's file and line)
    """
    if manifest.build is None or manifest.runtime is None:
        raise BuildFailed(
            f"{manifest.id} has no [build] section",
            remedy="add [build] and [runtime] to unit.toml, or put the artifact there",
        )
    tool = _TOOLS[manifest.build.tool]
    source = inside(directory, manifest.build.source)
    artifact = inside(directory, manifest.runtime.artifact)
    if not source.is_file():
        raise BuildFailed(
            f"{manifest.id}: there is no {manifest.build.source}", remedy="correct build.source in unit.toml"
        )
    facts = [f"{manifest.build.tool} {_version(tool)}", manifest.build.source, narrowed(manifest)]
    if tool.sdk:
        facts.append(sdk_digest(tool.sdk))
    stamp = Stamp.of(artifact, source.parent if tool.sdk else source, tuple(facts))
    if stamp.current():
        progress(f"{manifest.id} is built", 1.0)
        return artifact
    progress(f"building {manifest.id}", 0.0)
    data = tool.compile(source, manifest, progress)
    write_atomically(artifact, data)
    stamp.write(data)
    progress(f"building {manifest.id}", 1.0)
    return artifact


def missing_tools() -> list[str]:
    """Why each toolchain that cannot build is unable to: it is missing, or of a version that is known not to fit."""
    found = []
    for name, tool in _TOOLS.items():
        try:
            _check_range(tool, _version(tool))
            tool.look()
            if tool.sdk:
                sdk_digest(tool.sdk)
        except BuildFailed as error:
            found.append(f"{name} cannot build units: {error.message}; {error.remedy}")
    return found


def _version(tool: _Tool) -> str:
    try:
        return version(tool.distribution) if tool.distribution else tool.ask()
    except PackageNotFoundError as error:
        raise BuildFailed(
            f"{tool.distribution} is not installed", remedy=f"run pip install 'remit[{tool.extra}]'"
        ) from error


def _check_range(tool: _Tool, found: str) -> None:
    """Hold an installed distribution to the range that this version of Remit was made for.

    :raises BuildFailed: if it is another
    """
    for line in _requirements() if tool.distribution else ():
        match = _REQUIREMENT.match(line)
        if match and match["name"] == tool.distribution and not in_range(_three(found), match["range"]):
            raise BuildFailed(
                f"{tool.distribution} {found} is not of {match['range']}, which is known to work",
                remedy=f"run pip install 'remit[{tool.extra}]'",
            )


def _requirements() -> list[str]:
    try:
        return requires("remit") or []
    except PackageNotFoundError:  # a copy that was never installed
        return []


def _three(version: str) -> str:
    """The first three numbers of a version of Python's, as Semantic Versioning has them."""
    numbers = [part for part in version.split(".") if part.isdecimal()]
    return ".".join([*numbers, "0", "0"][:3])
