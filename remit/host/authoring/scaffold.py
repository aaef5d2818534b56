"""New projects from the templates that Remit ships: a folder that passes its own tests at once.

Templates are the files below ``remit/host/authoring/scaffolds``, each with ``.tmpl`` behind its name. ``$name`` is
replaced in their text (:class:`string.Template`), and ``_name_`` in their paths. Nothing is run.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from string import Template

from remit.errors import UsageError
from remit.journal import translate_os_error

__all__ = ["LANGUAGES", "new_plugin", "new_unit", "scaffold"]

_PLUGIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MOST_NAME = 60
LANGUAGES: Mapping[str, tuple[str, ...]] = {
    "python": ("tool", "transform", "native"),
    "ts": ("tool", "transform"),
    "wat": ("tool",),
    "c": ("tool",),
}
"""By language: the kinds that there is a template for. A config unit has no language."""
_SUFFIX = ".tmpl"


def scaffold(template: str, target: Path, values: Mapping[str, str]) -> list[str]:
    """Make ``target`` from a template, whole or not at all, and give the files in it.

    :raises UsageError: if something stands there
    :raises HomeReadOnly: if it cannot be written
    """
    if target.exists():
        raise UsageError(f"{target} exists", remedy="choose another name or folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            as_file(files("remit.host.authoring") / "scaffolds" / template) as source,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work,
        ):
            made = Path(work, target.name)
            written = [_write(path, source, made, values) for path in sorted(source.rglob(f"*{_SUFFIX}"))]
            shutil.move(made, target)
    except OSError as error:
        raise translate_os_error(error, f"making {target}") from error
    return written


def _write(path: Path, source: Path, made: Path, values: Mapping[str, str]) -> str:
    name = path.relative_to(source).as_posix().removesuffix(_SUFFIX)
    for key, value in values.items():
        name = name.replace(f"_{key}_", value)
    file = made / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(Template(path.read_text("utf-8")).substitute(values), "utf-8")
    return name


def new_plugin(name: str, folder: Path | str = ".") -> tuple[Path, list[str]]:
    """A distribution with one plugin and its tests, in a folder of its name; gives the folder and its files.

    :param name: as ``remit plugin list`` will show it
    :raises UsageError: if the name cannot be a distribution's, or the folder exists
    """
    if not _PLUGIN.fullmatch(name) or len(name) > _MOST_NAME:
        raise UsageError(f"{name[:100]!r} cannot be a plugin's name", remedy="use lower case, digits and hyphens")
    module = name.replace("-", "_")
    target = Path(folder) / name
    return target, scaffold("plugin", target, {"name": name, "module": module})


def new_unit(unit: str, language: str, kind: str = "tool", folder: Path | str = ".") -> tuple[Path, list[str]]:
    """A unit's project that builds and passes its tests at once, in a folder of its name; gives the folder and files.

    :param unit: ``publisher/name``
    :param kind: ``tool``, ``transform``, or ``config``, which has no code and no language
    :raises UsageError: if the id is none, the folder exists, or there is no such template
    """
    publisher, slash, name = unit.partition("/")
    if not slash or not all(_PLUGIN.fullmatch(part) and len(part) <= _MOST_NAME for part in (publisher, name)):
        raise UsageError(f"{unit[:100]!r} cannot be a unit's id", remedy="write publisher/name, lower case")
    if kind != "config" and kind not in LANGUAGES.get(language, ()):
        offered = ", ".join(f"{one} ({'/'.join(kinds)})" for one, kinds in LANGUAGES.items())
        raise UsageError(f"there is no template of kind {kind} in {language}", remedy=f"choose one of {offered}")
    target = Path(folder) / name
    template = {"config": "unit-config", "tool": f"unit-{language}"}.get(kind, f"unit-{language}-{kind}")
    return target, scaffold(template, target, {"id": unit, "publisher": publisher, "name": name})
