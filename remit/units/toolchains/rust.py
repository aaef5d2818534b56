"""Rust to a component: rustc compiles with the shim of ``sdk/rust``, and a shell makes a component of the module.

No cargo and no crates. The source's folder is copied, and the shim put beside it as ``remit_unit.rs``; it has what
``--cfg remit_NAME`` says, for each interface that the manifest entitles to. rustc is the one on ``PATH``, or what
``RUSTC`` names, and needs the standard library of ``wasm32-unknown-unknown``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess  # rustc answers where its libraries are
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import BuildFailed
from remit.units.manifest import interfaces_of
from remit.units.toolchains.artifact import source_files
from remit.units.toolchains.running import Run
from remit.units.toolchains.sdks import sdk_folder
from remit.units.toolchains.shell import around
from remit.units.toolchains.world import exports_of

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["compile_rust", "rust_version"]

_TARGET = "wasm32-unknown-unknown"
_FLAGS = ["--edition=2021", "--crate-type=cdylib", f"--target={_TARGET}", "--crate-name=unit", "-Cpanic=abort"]
_FLAGS += ["-Copt-level=s", "-Cstrip=symbols", "-Clto=fat", "-Ccodegen-units=1", "--color=never"]
_SHIM = "remit_unit.rs"
_CAPABILITY_OF = {
    "emit": "events:emit",
    "http": "net:http",
    "files": "fs:read",
    "secret": "secret:read",
    "invoke": "action:call",
}
_PROMISED = {"call": "an [[action]]", "handle": "a topic under [[on]]", "transform": "a transform"}
_ASK_S = 20


def rust_version() -> str:
    """Which rustc there is.

    :raises BuildFailed: if there is none, or it has no standard library for the target
    """
    version, target = _asked("--version"), Path(_asked(f"--target={_TARGET}", "--print=target-libdir"))
    if not any(target.glob("libstd-*")):
        raise BuildFailed(
            f"{version} cannot compile for {_TARGET}",
            remedy=f"run 'rustup target add {_TARGET}', or install Debian's libstd-rust-dev-wasm32 with its rustc",
        )
    return version


def _asked(*words: str) -> str:
    program = os.environ.get("RUSTC") or shutil.which("rustc")
    if program is None:
        raise BuildFailed("rustc is not installed", remedy="install Rust: https://rustup.rs")
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_ASK_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"{program} does not work: {error}", remedy="install Rust: https://rustup.rs") from error
    return done.stdout.strip()


def compile_rust(source: Path, manifest: Manifest, progress: Progress) -> bytes:
    """The component of this crate root and the modules beside it.

    :raises BuildFailed: if the compiler is missing, takes longer than three minutes, or refuses the source
    """
    rust_version()
    imports = tuple(sorted(interfaces_of(manifest) - {"types"}))
    exports = exports_of(manifest)
    shown = Path(manifest.build.source).parent if manifest.build else Path()
    with tempfile.TemporaryDirectory(prefix="remit-build-") as folder:
        work = Path(folder, "src")
        for path in source_files(source.parent):
            copy = work / path.relative_to(source.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        shutil.copyfile(sdk_folder("rust") / _SHIM, work / _SHIM)
        output = Path(folder) / "unit.core.wasm"
        words = [os.environ.get("RUSTC") or "rustc", *_FLAGS, f"--remap-path-prefix={work}=/unit", "-o", str(output)]
        words += [word for name in (*imports, *exports) for word in ("--cfg", f"remit_{name}")] + [source.name]
        code, said = Run("rustc", words, work)(f"building {manifest.id}", progress)
        if code or not output.is_file():
            raise _explained(said, shown)
        return around(output.read_bytes(), imports, exports)


def _explained(said: str, shown: Path) -> BuildFailed:
    """The compiler's first complaint with the author's file and line, and what would help."""
    details: dict[str, object] = {"output": said[-4_000:]}
    found = re.search(r"^error(?:\[E\d+\])?: (.*)\n +--> ([^:\n]+):(\d+):\d+", said, re.MULTILINE)
    if found is None:
        lines = [line for line in said.splitlines() if line.startswith("error")] or ["rustc failed and did not say why"]
        return BuildFailed(f"{shown}: {lines[0].strip()[:500]}", remedy="correct the source", **details)
    what, file, line = found[1], found[2], int(found[3])
    if file == _SHIM:
        missing = re.search(r"cannot find function `(\w+)` in (?:the crate root|module `crate`)", what)
        name = missing[1] if missing else ""
        promised = f", and the manifest promises {_PROMISED[name]}" if name in _PROMISED else ""
        wanted = f"the crate root has no function {name!r}" if name else what
        return BuildFailed(f"{shown}: {wanted}{promised}", remedy="define it: remit_unit.rs says how", **details)
    details |= {"file": str(shown / file), "line": line}
    return BuildFailed(f"{shown / file}:{line}: {what[:500]}", remedy=_remedy(what), **details)


def _remedy(what: str) -> str:
    named = re.findall(r"`(?:\w+::)*(\w+)`", what)
    for name in named:
        if name in _CAPABILITY_OF and "remit_unit" in what:
            return f"declare a [[capability]] with action '{_CAPABILITY_OF[name]}' in unit.toml, or drop the use"
    if "remit_unit" in what or "unresolved" in what:
        return "remit_unit.rs lists what there is; a crate has to lie beside the source as a module"
    return "correct the source"
