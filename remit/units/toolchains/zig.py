"""C to a component: zig's clang compiles with the header of ``sdk/c``, and a shell makes a component of the module.

Every ``.c`` file of the source's folder is compiled. There is no libc and no WASI: a unit asks the host, through the
header, for what the manifest declares, and the header has nothing else.
"""

from __future__ import annotations

import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import BuildFailed
from remit.units.manifest import interfaces_of
from remit.units.toolchains.running import Run
from remit.units.toolchains.sdks import sdk_folder
from remit.units.toolchains.shell import around
from remit.units.toolchains.world import exports_of

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["compile_c"]

_FLAGS = [
    "-target",
    "wasm32-freestanding",
    "-mcpu=generic+bulk_memory",
    "-std=c11",
    "-Oz",
    "-g0",
    "-nostdlib",
    "-fno-builtin-strlen",
    "-fno-sanitize=all",
    "-Wall",
    "-Werror=implicit-function-declaration",
    "-Wl,--no-entry",
    "-Wl,-s",
]
_CAPABILITY_OF = {
    "remit_emit": "events:emit",
    "remit_fetch": "net:http",
    "remit_read": "fs:read",
    "remit_write": "fs:write",
    "remit_secret": "secret:read",
    "remit_invoke": "action:call",
}
_PROMISED = {"remit_call": "an [[action]]", "remit_handle": "a topic under [[on]]", "remit_transform": "a transform"}


def compile_c(source: Path, manifest: Manifest, progress: Progress) -> bytes:
    """The component of the C files beside this source, itself included.

    :raises BuildFailed: if the compiler is missing, takes longer than three minutes, or refuses the source
    """
    if find_spec("ziglang") is None:
        raise BuildFailed("ziglang is not installed", remedy="run pip install 'remit[c]'")
    imports = tuple(sorted(interfaces_of(manifest) - {"types"}))
    exports = exports_of(manifest)
    shown = Path(manifest.build.source).parent if manifest.build else Path()
    with tempfile.TemporaryDirectory(prefix="remit-build-") as folder:
        output = Path(folder) / "unit.core.wasm"
        words = [sys.executable, "-P", "-m", "ziglang", "cc", *_FLAGS, "-DREMIT_NARROWED"]
        words += [f"-DREMIT_HAS_{name.upper()}" for name in (*imports, *exports)]
        words += [f"-I{sdk_folder('c')}", "-o", str(output), *sorted(file.name for file in source.parent.glob("*.c"))]
        code, said = Run("zig", words, source.parent)(f"building {manifest.id}", progress)
        if code or not output.is_file():
            raise _explained(said, shown)
        return around(output.read_bytes(), imports, exports)


def _explained(said: str, shown: Path) -> BuildFailed:
    """The compiler's first complaint with the author's file and line, and what would help."""
    details: dict[str, object] = {"output": said[-4_000:]}
    if found := re.search(r"^([^\s:][^:\n]*):(\d+):\d+: (?:fatal )?error: (.*)$", said, re.MULTILINE):
        file, line, what = shown / found[1], int(found[2]), found[3].partition("; ISO")[0]
        details |= {"file": str(file), "line": line}
        return BuildFailed(f"{file}:{line}: {what[:500]}", remedy=_remedy(what), **details)
    if found := re.search(r"undefined symbol: (\w+)", said):
        promised = _PROMISED.get(found[1])
        what = f"{found[1]} is not defined" + (f", and the manifest promises {promised}" if promised else "")
        return BuildFailed(f"{shown}: {what}", remedy="define it in a .c file beside the source", **details)
    lines = [line for line in said.splitlines() if "error" in line] or ["the compiler failed and did not say why"]
    return BuildFailed(f"{shown}: {lines[0].strip()[:500]}", remedy="correct the source", **details)


def _remedy(what: str) -> str:
    if found := re.search(r"undeclared function '(\w+)'", what):
        if capability := _CAPABILITY_OF.get(found[1]):
            return f"declare a [[capability]] with action '{capability}' in unit.toml, or drop the call"
        return "there is no libc: remit.h lists what there is"
    if "file not found" in what:
        return "there is no libc: include remit.h, stddef.h, stdint.h, stdbool.h and your own headers only"
    return "correct the source"
