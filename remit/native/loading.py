"""A native unit's modules, imported from the text of its artifact: nothing on ``sys.path`` can take their place.

They are imported by Python's own machinery, below a package of their own. Inside, the unit's modules go by their plain
names: an ``import`` looks among them first, as it does in the folder that they come from.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from remit.schemas.modules import module_path

__all__ = ["Modules"]


class Modules(MetaPathFinder, InspectLoader):
    """One life of a unit's modules: what they keep in their globals is not shared with another.

    :param package: a name that nothing else in this process has
    :param label: what tracebacks call the place of the source
    """

    def __init__(self, sources: Mapping[str, str], package: str, label: str) -> None:
        self._sources = sources
        self._package = package
        self._label = label
        self._tops = frozenset(path.partition("/")[0].removesuffix(".py") for path in sources)
        self._builtins = {**vars(builtins), "__import__": self._import}
        sys.meta_path.append(self)

    def module(self, name: str) -> ModuleType:
        """One of the unit's modules, imported if it was not yet.

        :raises ImportError: if there is none of that name; and whatever the module raises
        """
        return import_module(f"{self._package}.{name}")

    def close(self) -> None:
        """Let go of the modules: what still runs goes on, nothing is imported any more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{self._package}.")]:
            del sys.modules[name]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - as __import__ names them
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - as above
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What an ``import`` of the unit means."""
        top = name.partition(".")[0]
        if level or top not in self._tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        inner = f"{self._package}.{name}"
        if fromlist:
            return builtins.__import__(inner, globals, locals, fromlist, 0)
        import_module(inner)
        return sys.modules[f"{self._package}.{top}"]

    # ---- what Python's import machinery asks ----

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Where a module below our package comes from."""
        del path, target
        if fullname == self._package:
            return ModuleSpec(fullname, self, is_package=True)
        if not fullname.startswith(f"{self._package}."):
            return None
        where = self._where(fullname)
        if where is None and not any(path.startswith(f"{self._inner(fullname)}/") for path in self._sources):
            return None
        origin = None if where is None else self._origin(where)
        return ModuleSpec(fullname, self, origin=origin, is_package=self.is_package(fullname))

    def is_package(self, fullname: str) -> bool:
        """Whether modules may stand below it."""
        where = self._where(fullname)
        return where is None or where.endswith("/__init__.py")

    def get_source(self, fullname: str) -> str:
        """The text of a module, also for tracebacks; a folder without ``__init__.py`` has none."""
        where = self._where(fullname)
        return "" if where is None else self._sources[where]

    def get_code(self, fullname: str) -> CodeType:
        """The code of a module."""
        where = self._where(fullname)
        return compile(self.get_source(fullname), self._origin(where or ""), "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's top level, with imports that look among the unit's modules first."""
        vars(module)["__builtins__"] = self._builtins
        exec(self.get_code(module.__name__), vars(module))  # noqa: S102 - what a loader is for

    def _inner(self, fullname: str) -> str:
        return fullname[len(self._package) + 1 :].replace(".", "/")

    def _where(self, fullname: str) -> str | None:
        return module_path(self._sources, fullname[len(self._package) + 1 :])

    def _origin(self, where: str) -> str:
        return f"<{self._label}>/{where}"
