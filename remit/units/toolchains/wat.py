"""Component text to a component, with wasmtime's own assembler: milliseconds and no toolchain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import BuildFailed

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["compile_wat"]

_MAX_TEXT = 4 << 20
_COMPONENT = b"\0asm\x0d\0\x01\0"
"""Magic, version 13, layer 1: https://github.com/WebAssembly/component-model, Binary.md."""


def compile_wat(source: Path, manifest: Manifest, _progress: Progress) -> bytes:
    """The component that this text describes.

    :raises BuildFailed: if it is too long, not UTF-8, not WAT, or a core module
    """
    import wasmtime  # noqa: PLC0415 - 100 ms that only a build should pay

    name = manifest.build.source if manifest.build else source.name
    if source.stat().st_size > _MAX_TEXT:
        raise BuildFailed(f"{name} is longer than {_MAX_TEXT >> 20} MiB", remedy="assemble it elsewhere")
    try:
        data = bytes(wasmtime.wat2wasm(source.read_text("utf-8")))
    except UnicodeDecodeError as error:
        raise BuildFailed(f"{name} is not UTF-8 at byte {error.start}", remedy="save the file as UTF-8") from error
    except wasmtime.WasmtimeError as error:
        raise _explained(name, str(error)) from error
    if not data.startswith(_COMPONENT):
        raise BuildFailed(
            f"{name}: this is a core module", remedy="write a component: (component …) of world remit:unit"
        )
    return data


def _explained(name: str, message: str) -> BuildFailed:
    what = message.strip().splitlines()[0] if message.strip() else "it is not WAT"
    place = re.search(r"--> <anon>:(\d+):(\d+)", message)
    if place is None:
        return BuildFailed(f"{name}: {what}", remedy="correct the source", file=name)
    line = int(place[1])
    return BuildFailed(f"{name}:{line}:{place[2]}: {what}", remedy="correct the source", file=name, line=line)
