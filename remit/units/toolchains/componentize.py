"""Python source to a component, with componentize-py in a process of its own, and its complaints in the author's terms.

The tool runs the guest's top level inside a sandbox of its own with only the source folder mounted, so an untrusted
source cannot reach this machine; packages installed on this machine are not offered to it.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import BuildFailed
from remit.units.toolchains.running import Run
from remit.units.toolchains.sdks import sdk_files
from remit.units.toolchains.world import WORLD_NAME, exports_of, narrowed

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["compile_python"]

_ENTRY = "import sys, componentize_py; sys.argv[0] = 'componentize-py'; sys.exit(componentize_py.script())"
_SIGNATURES = {
    "provider": ("Provider", "call", ("action", "input")),
    "handler": ("Handler", "handle", ("event",)),
    "transformer": ("Transformer", "transform", ("context",)),
}
"""By interface: the class that the guest defines, its method, and the arguments after ``self``."""

_CAPABILITY_OF = {
    "events": "events:emit",
    "http": "net:http",
    "files": "fs:read",
    "secrets": "secret:read",
    "actions": "action:call",
}


def compile_python(source: Path, manifest: Manifest, progress: Progress) -> bytes:
    """The component whose exports this module implements.

    :raises BuildFailed: if the tool is missing, takes longer than three minutes, or refuses the source
    """
    if find_spec("componentize_py") is None:
        raise BuildFailed("componentize-py is not installed", remedy="run pip install 'remit[author]'")
    if source.suffix != ".py" or not source.stem.isidentifier() or source.stem in {WORLD_NAME, "wit_world"}:
        raise BuildFailed(f"{source.name} cannot be a guest's module", remedy="name it unit.py")
    shown = Path(manifest.build.source if manifest.build else source.name)
    _check_signatures(source, shown, manifest)
    with tempfile.TemporaryDirectory(prefix="remit-build-") as folder:
        work = Path(folder)
        (work / "wit").mkdir()
        (work / "wit" / "unit.wit").write_text(narrowed(manifest), "utf-8")
        (work / "no-packages" / "lib" / "site-packages").mkdir(parents=True)
        output = work / "unit.wasm"
        words = ["-q", "-d", str(work / "wit"), "-w", WORLD_NAME, "componentize", source.stem]
        words += ["-p", str(source.parent), "-o", str(output)]
        for file in sdk_files("python"):  # a copy without its own WIT: this build has a narrower one
            (work / "sdk" / "remit_unit").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, work / "sdk" / "remit_unit")
        words += ["-p", str(work / "sdk")]
        words = [sys.executable, "-P", "-c", _ENTRY, *words]
        run = Run("componentize-py", words, work, hint="look for a loop at the module's top level")
        # Packages that are installed on this machine are not the unit's.
        code, said = run(f"building {manifest.id}", progress, VIRTUAL_ENV=str(work / "no-packages"))
        if code or not output.is_file():
            raise _explained(said, shown)
        return output.read_bytes()


def _check_signatures(source: Path, shown: Path, manifest: Manifest) -> None:
    """Refuse an entry point that could never be called: the tool notices that only when it runs.

    Source that this interpreter cannot parse is left to the tool, whose Python may be newer; so is a class that the
    module imports from elsewhere.
    """
    try:
        module = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    for interface in exports_of(manifest):
        name, method, wanted = _SIGNATURES[interface]
        if name not in classes:
            continue
        for node in classes[name].body:
            if isinstance(node, ast.FunctionDef) and node.name == method and not _takes(node.args, len(wanted) + 1):
                raise BuildFailed(
                    f"{shown}:{node.lineno}: {name}.{method} does not take {_count(wanted)}",
                    remedy=f"write 'def {method}(self, {', '.join(wanted)})'",
                    file=str(shown),
                    line=node.lineno,
                )


def _takes(arguments: ast.arguments, count: int) -> bool:
    most = len(arguments.posonlyargs) + len(arguments.args)
    keyword_only = sum(default is None for default in arguments.kw_defaults)
    enough = most >= count or arguments.vararg is not None
    return enough and most - len(arguments.defaults) <= count and not keyword_only


def _count(names: tuple[str, ...]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _explained(said: str, shown: Path) -> BuildFailed:
    """The tool's traceback as one line with the author's file and line, and what would help."""
    body = said.rpartition("AssertionError: ")[2].partition("\nCaused by:")[0].rstrip() or said.strip()
    what = body.splitlines()[-1].strip() if body else "componentize-py failed and did not say why"
    # "/0" is the source folder as the tool mounts it.
    frames = re.findall(r'File "/0/([^"\n]+)", line (\d+)', body)
    details: dict[str, object] = {"output": body[-4_000:]}
    place = str(shown)
    if frames:
        file, line = frames[-1]
        details |= {"file": str(shown.parent / file), "line": int(line)}
        place = f"{shown.parent / file}:{line}"
    return BuildFailed(f"{place}: {what[:500]}", remedy=_remedy(what), **details)


def _remedy(what: str) -> str:
    if found := re.search(r"cannot import name '(\w+)' from 'wit_world\.(imports|exports)'", what):
        if found[2] == "imports" and found[1] in _CAPABILITY_OF:
            capability = _CAPABILITY_OF[found[1]]
            return f"declare a [[capability]] with action '{capability}' in unit.toml, or drop the import"
        return "import only what the manifest declares"
    if "ModuleNotFoundError" in what:
        return "put the module beside the source: a unit has the standard library and its own files only"
    if found := re.search(r"has no attribute '(Provider|Handler|Transformer)'", what):
        return f"define 'class {found[1]}(exports.{found[1]})': the manifest promises it"
    return "correct the source"
