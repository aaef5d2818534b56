"""Python source to the artifact of a native unit: its modules and the SDK's as text, each of them read and parsed here.

Nothing is run. What is no module is left out, and said: data belongs into one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from remit.errors import ArtifactInvalid, BuildFailed
from remit.schemas.modules import encode_modules, module_path
from remit.units.toolchains.artifact import source_files
from remit.units.toolchains.sdks import sdk_files

if TYPE_CHECKING:
    from remit.kernel.ports import Progress
    from remit.units.manifest import Manifest

__all__ = ["pack_modules"]

_SDK = "remit_unit"


def pack_modules(source: Path, manifest: Manifest, progress: Progress) -> bytes:
    """The artifact of the modules in the source's folder.

    :raises BuildFailed: if one is no Python of this interpreter, none has the name of ``native.module``, or the SDK's
        name is taken
    """
    folder, shown = source.parent, Path(manifest.build.source if manifest.build else source.name).parent
    modules: dict[str, str] = {}
    for path in source_files(folder):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".py":
            modules[name] = _checked(path, str(shown / name))
        else:
            progress(f"left out {shown / name}: native units hold modules only", 0.5)
    taken = [name for name in modules if name.partition("/")[0] in {_SDK, f"{_SDK}.py"}]
    if taken:
        raise BuildFailed(f"{shown / taken[0]} has the SDK's name", remedy="give the module another name")
    wanted = manifest.native.module if manifest.native is not None else ""
    if module_path(modules, wanted) is None:
        raise BuildFailed(f"there is no module {wanted!r} in {shown}", remedy="correct native.module in unit.toml")
    modules |= {f"{_SDK}/{file.name}": file.read_text("utf-8") for file in sdk_files("python") if file.suffix == ".py"}
    try:
        return encode_modules(modules)
    except ArtifactInvalid as error:
        raise BuildFailed(error.message, remedy="rename or split the modules") from error


def _checked(path: Path, shown: str) -> str:
    try:
        text = path.read_text("utf-8")
        compile(text, shown, "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{shown}:{error.lineno}"
        raise BuildFailed(
            f"{place}: {error.msg}", remedy="correct the source", file=shown, line=error.lineno or 0
        ) from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise BuildFailed(f"{shown} cannot be read as Python: {error}", remedy="save it as UTF-8") from error
    return text
