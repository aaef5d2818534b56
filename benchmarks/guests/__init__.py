"""Builds the guest that all hosts run: one C source, as a component and as a plugin of Extism."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["component", "plugin", "python"]

_HERE = Path(__file__).parent
_BUILT = Path("build/bench")
_CORE_MODULE = 1
_HEADER = 8


@cache
def component() -> bytes:
    """The guest as a component with ``provider.call``, importing ``secrets``."""
    from wasmtime import wat2wasm  # noqa: PLC0415 - heavy, and only some benchmarks need it

    shell = bytes(wat2wasm((_HERE / "shell.wat").read_text("utf-8")))
    return _with_core(shell, _compile("component", "-Wl,--import-memory", "-Wl,--initial-memory=131072"))


@cache
def plugin() -> bytes:
    """The guest as a plugin of Extism."""
    return _compile("plugin", "-DEXTISM")


@cache
def python() -> bytes:
    """A Python guest that answers with its input: 18 MB, since it brings CPython."""
    from remit.host import build_unit  # noqa: PLC0415 - only the benchmarks of Python guests need the rooms

    target = _BUILT / "python"
    if not (target / "python.wasm").exists():
        shutil.copytree(_HERE / "python", target, dirs_exist_ok=True)
        build_unit(target)
    return (target / "python.wasm").read_bytes()


def _compile(name: str, *options: str) -> bytes:
    _BUILT.mkdir(parents=True, exist_ok=True)
    target = _BUILT / f"{name}.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-nostdlib"]
    command += ["-Wl,--no-entry", "-Wl,-z,stack-size=16384", *options]
    subprocess.run([*command, "-o", str(target), str(_HERE / "echo.c")], check=True)
    return target.read_bytes()


def _with_core(shell: bytes, core: bytes) -> bytes:
    """The component with its first core module replaced."""
    at = _HEADER
    while shell[at] != _CORE_MODULE:
        size, body = _unsigned(shell, at + 1)
        at = body + size
    size, body = _unsigned(shell, at + 1)
    return shell[:at] + bytes([_CORE_MODULE]) + _encoded(len(core)) + core + shell[body + size :]


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 number and where what follows it begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - no continuation bit
            return value, at


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
