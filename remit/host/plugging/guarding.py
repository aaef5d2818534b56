"""A plugin's read model at arm's length: run beside the kernel under a deadline; one that fails is broken, alone.

A broken model answers with its plugin's fault until the kernel starts again; then it is replayed from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from remit.errors import PluginFailed, RemitError
from remit.host.plugging.manager import Plugins
from remit.journal import Fold, Record

__all__ = ["GuardedFold"]


class _Broken(NamedTuple):
    """The state of a model that failed."""

    why: PluginFailed


class GuardedFold:
    """Implements :class:`remit.journal.Fold` around a plugin's.

    :raises PluginFailed: if it does not say its name, version and topics
    """

    def __init__(self, plugins: Plugins, plugin: str, fold: Fold[Any]) -> None:
        self._plugins = plugins
        self._plugin = plugin
        self._fold = fold
        self._doing = "remit_read_models"
        said = self._ask(lambda: (str(fold.name), int(fold.version), tuple(map(str, fold.topics))))
        self.name: str = said[0]
        self.version: int = said[1]
        self.topics: tuple[str, ...] = said[2]
        self._doing = f"read model {self.name[:100]}"

    def init(self) -> Any:
        """The state before the first record."""
        return self._state(self._fold.init)

    def apply(self, state: Any, records: Sequence[Record], data: Callable[[Record], Any]) -> Any:
        """The state after these records; a broken one stays broken."""
        return state if isinstance(state, _Broken) else self._state(self._fold.apply, state, records, data)

    def snapshot(self, state: Any) -> bytes:
        """The state as bytes, none where it is broken: a snapshot that cannot be read is replayed."""
        found = state if isinstance(state, _Broken) else self._state(self._fold.snapshot, state, kind=bytes)
        return b"" if isinstance(found, _Broken) else bytes(found)

    def restore(self, data: bytes) -> Any:
        """The state that :meth:`snapshot` wrote.

        :raises ValueError: if there is none
        :raises PluginFailed: if the plugin cannot read it
        """
        if not data:
            raise ValueError("a broken state was not kept")
        return self._ask(self._fold.restore, data)

    def view(self, state: Any) -> object:
        """The state as JSON-able data.

        :raises PluginFailed: if it is broken, or cannot be shown
        """
        if isinstance(state, _Broken):
            raise state.why
        return self._ask(self._fold.view, state)

    def _state(self, function: Callable[..., Any], *arguments: Any, kind: type[Any] = object) -> Any:
        try:
            return self._ask(function, *arguments, kind=kind)
        except PluginFailed as error:
            return _Broken(error)

    def _ask(self, function: Callable[..., Any], *arguments: Any, kind: type[Any] = object) -> Any:
        def call() -> Any:
            try:
                return function(*arguments)
            except RemitError as error:  # nobody asked it anything: from a fold, even this is a fault
                raise RuntimeError(str(error)) from error

        return self._plugins.ask(self._plugin, self._doing, call, kind=kind)
