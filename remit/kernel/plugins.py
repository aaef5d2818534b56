"""The plugin manager: registers built-ins and entry points, and says which plugin failed in which hook.

pluggy stops a hook at the first implementation that raises. Here every implementation is called on its own, so that one
plugin's fault is attributed, recorded and never takes the others down.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from importlib import import_module, metadata
from typing import Any

import msgspec
import pluggy

from remit.errors import AdapterMissing, PluginFailed, RemitError
from remit.kernel import hookspecs

__all__ = ["ENTRY_POINT", "Failure", "Plugins"]

ENTRY_POINT = "remit.plugins"
_log = logging.getLogger(__name__)


class Failure(msgspec.Struct, frozen=True):
    """One failing hook of one plugin."""

    plugin: str
    hook: str
    error: str


class Plugins:
    """The plugins of one kernel. Built-ins are trusted to work: their faults are raised, not recorded."""

    def __init__(self, builtins: Iterable[str], disabled: Collection[str] = ()) -> None:
        """Import and register the built-in modules, then every entry point of ``remit.plugins`` not disabled.

        :param builtins: module names
        """
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._builtins = frozenset(builtins)
        self.failures: list[Failure] = []
        for name in builtins:
            self._manager.register(import_module(name), name)
        for point in metadata.entry_points(group=ENTRY_POINT):
            if point.name not in disabled:
                self._load(point)

    def _load(self, point: metadata.EntryPoint) -> None:
        plugin = None
        try:
            plugin = point.load()
            self._manager.register(plugin, point.name)
            self._manager.check_pending()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - anything may be wrong with a third party's plugin
            # Half registered, it would fail the check of each plugin after it.
            if plugin is not None and self._manager.get_plugin(point.name) is plugin:
                self._manager.unregister(plugin)
            self._record(point.name, "load", error)

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object, as an embedding program or a test does."""
        self._manager.register(plugin, name)

    def names(self) -> list[str]:
        """The registered plugins."""
        return sorted(name for name, _ in self._manager.list_name_plugin())

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """The results of every implementation, in the order of registration; a failing plugin's is left out.

        :raises PluginFailed: if a built-in fails
        """
        return [result for _, result in self._results(hook, arguments) if result is not None]

    def first(self, hook: str, **arguments: Any) -> Any:
        """The first answer that is not ``None``, the latest registered plugin asked first.

        :raises AdapterMissing: if no plugin answers
        :raises PluginFailed: if a built-in fails
        """
        for _, result in self._results(hook, arguments, latest_first=True):
            if result is not None:
                return result
        raise AdapterMissing(f"no plugin provides {hook}")

    def _results(
        self, hook: str, arguments: dict[str, Any], *, latest_first: bool = False
    ) -> Iterable[tuple[str, Any]]:
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        for implementation in reversed(implementations) if latest_first else implementations:
            try:
                result = implementation.function(*(arguments[name] for name in implementation.argnames))
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:
                if implementation.plugin_name in self._builtins and isinstance(error, RemitError):
                    raise
                if implementation.plugin_name in self._builtins:
                    raise PluginFailed(
                        f"{implementation.plugin_name} failed in {hook}: {error}",
                        plugin=implementation.plugin_name,
                        hook=hook,
                    ) from error
                self._record(implementation.plugin_name, hook, error)
            else:
                yield implementation.plugin_name, result

    def _record(self, plugin: str, hook: str, error: BaseException) -> None:
        _log.warning("plugin %s failed in %s", plugin, hook, exc_info=error)
        self.failures.append(Failure(plugin, hook, f"{type(error).__name__}: {error}"))
