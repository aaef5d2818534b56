"""TypeScript and JavaScript to a component, with esbuild and componentize-qjs, whose versions the SDK's lock file pins.

The two are installed once, into this user's cache, from the npm registry that npm is set up for: integrity hashes are
checked, and no package's script is run. esbuild takes types away and does not check them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess  # node says which it is
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import BuildFailed
from remit.schemas.formats import WORLD
from remit.units.manifest import interfaces_of
from remit.units.toolchains.running import Run
from remit.units.toolchains.sdks import sdk_digest, sdk_folder
from remit.units.toolchains.world import WORLD_NAME, exports_of, narrowed

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["bundled_tests", "compile_javascript"]

_OLDEST_NODE = 20
_SUFFIXES = frozenset({".ts", ".js", ".mts", ".mjs"})


def compile_javascript(source: Path, manifest: Manifest, progress: Progress) -> bytes:
    """The component of this source with everything that it imports.

    :raises BuildFailed: if Node.js is missing, the tools cannot be installed, or they refuse the source
    """
    if source.suffix not in _SUFFIXES:
        raise BuildFailed(f"{source.name} is no TypeScript or JavaScript", remedy="name it unit.ts or unit.js")
    tools = _tools(progress)
    shown = Path(manifest.build.source if manifest.build else source.name).parent
    with tempfile.TemporaryDirectory(prefix="remit-build-") as folder:
        work = Path(folder)
        (work / "wit").mkdir()
        (work / "wit" / "unit.wit").write_text(narrowed(manifest), "utf-8")
        interfaces = sorted(interfaces_of(manifest) - {"types"})
        lines = [f'import * as {name} from "remit:unit/{name}@{WORLD}";' for name in interfaces]
        (work / "world.js").write_text("\n".join([*lines, f"export const world = {{ {', '.join(interfaces)} }};", ""]))
        faces = ", ".join(exports_of(manifest))
        entry = f'import {json.dumps(str(source))};\nexport {{ {faces} }} from "remit-unit";\n'
        (work / "entry.js").write_text(entry, "utf-8")
        stage = f"building {manifest.id}"
        _bundle(tools, work / "entry.js", work / "unit.js", source.parent, shown, work / "world.js", progress, stage)
        words = [str(tools / "componentize-qjs"), "-w", "wit", "-n", WORLD_NAME, "-j", "unit.js", "-o", "unit.wasm"]
        code, said = Run("componentize-qjs", [*words, "--sync", "--opt-size"], work)(stage, progress)
        if code or not (work / "unit.wasm").is_file():
            raise _explained(said, shown / source.name)
        return (work / "unit.wasm").read_bytes()


def bundled_tests(folder: Path, into: Path, progress: Progress) -> list[Path]:
    """The unit's ``tests/*.test.ts`` (or js), each bundled with what it imports and a host in memory.

    :raises BuildFailed: if the tools cannot be installed, or a test does not parse
    """
    folder = folder.resolve()  # esbuild runs in the folder of the tests
    tests = sorted(path for path in (folder / "tests").glob("*.test.*") if path.suffix in _SUFFIXES)
    if not tests:
        return []
    tools, world = _tools(progress), sdk_folder("js") / "src" / "native.ts"
    made = [into / f"{test.name}.mjs" for test in tests]
    for test, output in zip(tests, made, strict=True):
        _bundle(tools, test, output, folder / "tests", Path("tests"), world, progress, f"bundling {test.name}")
    return made


def _bundle(
    tools: Path, entry: Path, output: Path, folder: Path, shown: Path, world: Path, progress: Progress, stage: str
) -> None:
    """One file of a source and everything that it imports, with this module for the world."""
    sdk = sdk_folder("js") / "src"
    words = [str(tools / "esbuild"), str(entry), "--bundle", "--format=esm", "--log-level=error", "--color=false"]
    words += ["--keep-names", "--external:remit:*", "--external:node:*", f"--outfile={output}"]
    aliases = {"remit-unit": sdk / "index.ts", "remit-unit/native": sdk / "native.ts", "remit-unit-world": world}
    words += [f"--alias:{name}={path}" for name, path in aliases.items()]
    code, said = Run("esbuild", words, folder)(stage, progress)
    if code or not output.is_file():
        raise _explained(said, shown / entry.name)


def _tools(progress: Progress) -> Path:
    """The folder of the tools' programs, installed if they are not yet.

    :raises BuildFailed: if Node.js is missing, or npm refuses
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise BuildFailed("Node.js with npm is not on the path", remedy="install Node.js 20 or later")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "remit" / "js"
    place = cache / sdk_digest("js")[:16]
    if not (place / "node_modules" / ".bin" / "esbuild").exists():
        try:
            _install(npm, cache, place, progress)
        except OSError as error:
            raise BuildFailed(f"{cache} cannot be written: {error.strerror}") from error
    return place / "node_modules" / ".bin"


def check_node() -> None:
    """Whether Node.js is there, and one that the tools run under.

    :raises BuildFailed: if not
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise BuildFailed("Node.js with npm is not on the path", remedy="install Node.js 20 or later")
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"{node} does not work: {error}", remedy="install Node.js 20 or later") from error
    major = done.stdout.strip().removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < _OLDEST_NODE:
        raise BuildFailed(f"Node.js is {done.stdout.strip()[:40]}", remedy=f"install Node.js {_OLDEST_NODE} or later")


def _install(npm: str, cache: Path, place: Path, progress: Progress) -> None:
    """Install into a folder beside and move it there whole: two builds may be at it at once."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".installing-") as work:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(sdk_folder("js") / name, work)
        # not "npm ci": it asks for optional packages of the lock that their publisher never made
        words = [npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        code, said = Run("npm", words, Path(work))("installing esbuild and componentize-qjs (once)", progress)
        if code:
            raise BuildFailed(
                f"npm could not install the tools: {said.strip()[-300:]}",
                remedy="look at 'npm config get registry' and try again",
            )
        try:
            Path(work).rename(place)
        except OSError:
            if not place.is_dir():
                raise
        else:
            Path(work).mkdir()  # what the context removes


def _explained(said: str, source: Path) -> BuildFailed:
    """The tool's complaint with the author's file and line, and what would help."""
    details: dict[str, object] = {"output": said[-4_000:]}
    if found := re.search(r"\[ERROR\] (.+)\n\n\s*([^\n]+?):(\d+):\d+:", said):
        what, file, line = found[1], source.parent / found[2], int(found[3])
        details |= {"file": str(file), "line": line}
        return BuildFailed(f"{file}:{line}: {what[:500]}", remedy=_remedy(what), **details)
    lines = [line.strip() for line in said.splitlines() if re.search(r"[Ee]rror", line)]
    lines.sort(key=lambda line: "[ERROR]" not in line)
    what = lines[0].rpartition("[ERROR] ")[2] if lines else "the tool failed and did not say why"
    return BuildFailed(f"{source}: {what[:500]}", remedy=_remedy(what), **details)


def _remedy(what: str) -> str:
    if "Could not resolve" in what:
        return "install the package into the unit's folder with npm, or put the module beside the source"
    if "remit:unit/" in what:
        return "import from remit-unit; declare a [[capability]] in unit.toml for what is missing"
    return "correct the source"
