"""The plugin manager: registers built-ins and entry points, and says which plugin failed in which hook.

pluggy stops a hook at the first implementation that raises, and waits for ever for one that hangs. Here every
implementation is called on its own; a third party's runs on its plugin's worker, under a deadline. A fault is
attributed, told to whoever keeps the record, and past a threshold its plugin gets no more hooks. Built-ins are trusted
to work: they run where they are called, and their faults are raised.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import import_module, metadata
from typing import Any, TypeVar

import pluggy

from remit.errors import AdapterMissing, PluginBlocked, PluginFailed, PluginUnknown, RemitError
from remit.host.plugging.inline import INLINE, Inline, Late
from remit.host.plugging.status import Failure, PluginStatus, Seat, distribution_of
from remit.host.plugging.worker import Busy, Hung, Raised
from remit.journal import Clock, SystemClock
from remit.kernel import hookspecs
from remit.units import Finding

__all__ = ["BLOCKED_BY", "ENTRY_POINT", "FAILED_TOO_OFTEN", "IN_CONFIG", "MOST_FAILURES", "Plugins"]

T = TypeVar("T")
ENTRY_POINT = "remit.plugins"
BLOCKED_BY = "REMIT_PLUGINS_DISABLE"
"""The environment variable that blocks plugins: names with commas between, or ``*`` for every one that is not ours."""
MOST_FAILURES = 5
FAILED_TOO_OFTEN = "it failed too often"
IN_CONFIG = "remit.toml disables it"
IN_ENVIRONMENT = f"{BLOCKED_BY} blocks it"
_KEPT_OFF = {IN_CONFIG, IN_ENVIRONMENT}
DEADLINE_S = 10.0
_MIDDLEWARE_S = 1.0
_FAILED: Any = object()
_log = logging.getLogger(__name__)


class Plugins:
    """The plugins of one kernel. Safe to share between threads once they are loaded."""

    def __init__(
        self,
        builtins: Iterable[str],
        disabled: Mapping[str, str] | Collection[str] = (),
        *,
        clock: Clock | None = None,
        deadline_s: float = DEADLINE_S,
        most_failures: int = MOST_FAILURES,
        inline: Collection[str] = (),
    ) -> None:
        """Import and register the built-in modules, then every entry point of ``remit.plugins`` not disabled.

        :param builtins: module names
        :param disabled: names of plugins that are not to be imported, each with the reason where there is one
        :param deadline_s: how long a third party's hook may take; middleware has a second at most
        :param inline: names of plugins whose middleware runs on its caller's thread, where nothing bounds it
        """
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._clock = clock or SystemClock()
        self._deadline_s = deadline_s
        self._deadlines_s = dict.fromkeys(INLINE, min(_MIDDLEWARE_S, deadline_s))
        self._inline = frozenset(inline)
        self._most_failures = most_failures
        self._seats: dict[str, Seat] = {}
        self._lock = threading.Lock()
        self._tell: Callable[[Failure], None] | None = None
        self.failures: list[Failure] = []
        for name in builtins:
            self._manager.register(import_module(name), name)
            self._seats[name] = Seat(name, origin="built in", builtin=True)
        self._reasons = disabled if isinstance(disabled, Mapping) else dict.fromkeys(disabled, IN_CONFIG)
        for point in metadata.entry_points(group=ENTRY_POINT):
            self._seat(point)

    # ---- loading ----

    def _seat(self, point: metadata.EntryPoint) -> None:
        origin, version = distribution_of(point)
        seat = Seat(point.name, origin=origin, version=version, inline=self._inlined(point.name))
        if point.name in self._seats:
            self._fail(seat, "load", ValueError(f"another plugin is called {point.name}"))
            return
        self._seats[point.name] = seat
        if is_blocked(point.name):
            seat.off = IN_ENVIRONMENT
        elif point.name in self._reasons:
            seat.off = self._reasons[point.name]
        else:
            self._load(seat, point)

    def _load(self, seat: Seat, point: metadata.EntryPoint) -> None:
        plugin = None
        try:
            plugin = seat.worker.run(point.load, (), self._deadline_s)
            self._manager.register(plugin, seat.name)
            self._manager.check_pending()
        except KeyboardInterrupt:  # the operator's: one of the plugin's is Raised
            raise
        except BaseException as error:  # noqa: BLE001 - to be looked at is as good an occasion to leave as any
            # Half registered, it would fail the check of each plugin after it.
            if plugin is not None and self._manager.get_plugin(seat.name) is plugin:
                self._manager.unregister(plugin)
            seat.broken = True
            self._fail(seat, "load", self._worded(error, "loading"))

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object, as an embedding program or a test does.

        :raises ValueError: if a plugin has the name, or the object is registered already
        """
        self._manager.register(plugin, name)
        off = IN_ENVIRONMENT if is_blocked(name) else self._reasons.get(name, "")
        self._seats[name] = Seat(name, origin="registered", off=off, inline=self._inlined(name))

    def _inlined(self, name: str) -> Inline | None:
        return Inline(self._clock) if name in self._inline else None

    # ---- asking ----

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """The results of every implementation, in the order of registration; a failing plugin's is left out.

        :raises PluginFailed: if a built-in fails
        """
        return [result for _, result in self._results(hook, arguments) if result is not None]

    def first(self, hook: str, kind: type[Any] = object, **arguments: Any) -> Any:
        """The first answer that is not ``None``, the latest registered plugin asked first. See :meth:`answers`.

        :raises AdapterMissing: if no plugin answers
        :raises PluginFailed: if a built-in fails
        """
        for _, result in self._results(hook, arguments, lambda found: _checked(found, kind), latest_first=True):
            if result is not None:
                return result
        raise AdapterMissing(f"no plugin provides {hook}")

    def answers(self, hook: str, kind: type[Any], **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Each answer that is not ``None`` as it comes, with its plugin's name. One that is no ``kind`` is a failure.

        :raises PluginFailed: if a built-in fails
        """
        for plugin, result in self._results(hook, arguments, lambda found: _checked(found, kind)):
            if result is not None:
                yield plugin, result

    def offers(self, hook: str, kind: type[Any], **arguments: Any) -> list[tuple[str, Any]]:
        """What the plugins offer through a hook that gives a sequence, item by item, each with its plugin's name.

        An answer with anything in it that is no ``kind`` (a runtime protocol will do) is its plugin's fault, and
        left out whole.

        :raises PluginFailed: if a built-in fails
        """
        found = []
        for plugin, items in self._results(hook, arguments, lambda result: _items(result, kind)):
            found += [(plugin, item) for item in items or ()]
        return found

    def implements(self, hook: str) -> list[str]:
        """The plugins that implement a hook, in the order of registration."""
        return [one.plugin_name for one in getattr(self._manager.hook, hook).get_hookimpls()]

    def hook_of(self, plugin: str, hook: str) -> Callable[..., Any]:
        """A plugin's implementation of a hook, with whatever arguments it takes; to be called through :meth:`run`."""
        [found] = [one for one in getattr(self._manager.hook, hook).get_hookimpls() if one.plugin_name == plugin]
        function: Callable[..., Any] = found.function
        return function if found.argnames else lambda *_arguments: function()

    def is_on(self, plugin: str) -> bool:
        """Whether a plugin gets hooks."""
        return not self._seats[plugin].off

    def is_builtin(self, plugin: str) -> bool:
        """Whether a plugin is one of ours."""
        return self._seats[plugin].builtin

    def run(self, plugin: str, hook: str, function: Callable[..., T], *arguments: Any) -> T | None:
        """Call what a plugin gave to us (an endpoint, a panel's data) as if it were its hook; ``None`` if it failed.

        :raises PluginFailed: if it is a built-in's
        """
        result = self._one(self._seats[plugin], hook, function, arguments)
        return None if result is _FAILED else result

    def ask(
        self,
        plugin: str,
        doing: str,
        function: Callable[..., Any],
        *arguments: Any,
        kind: type[T],
        deadline_s: float = 0,
    ) -> T:
        """Call what a plugin gave to us, beside its hooks, for an answer that there is no going on without.

        A :class:`RemitError` is an answer too and is raised as it is; whatever else goes wrong is the plugin's fault.

        :param doing: what it does, for its record; one thing at a time, and different things beside each other
        :param deadline_s: seconds that it may take; those of a hook if 0
        :raises PluginFailed: if it raises, hangs, gives no ``kind``, or the plugin is off
        """
        seat = self._seats[plugin]
        if seat.builtin:
            found: T = function(*arguments)
            return found
        if seat.off:
            raise PluginFailed(f"{plugin} is off: {seat.off}", plugin=plugin, hook=doing)
        try:
            answer = seat.beside(doing).run(function, arguments, deadline_s or self._deadline_s)
            if isinstance(answer, kind):
                return answer
            raise Raised(TypeError(f"gave {type(answer).__name__} where {kind.__name__} is wanted"))  # noqa: TRY301
        except Busy as error:
            raise PluginFailed(f"{plugin} is busy: {doing} did not begin", plugin=plugin, hook=doing) from error
        except (Raised, Hung) as error:
            worded = self._worded(error, doing)
            if isinstance(worded, RemitError):
                raise worded from None
            self._fail(seat, doing, worded)
            said = f"{plugin} failed in {doing}: {type(worded).__name__}: {worded}"
            raise PluginFailed(said[:500], plugin=plugin, hook=doing) from error

    def _results(
        self,
        hook: str,
        arguments: dict[str, Any],
        convert: Callable[[Any], Any] | None = None,
        *,
        latest_first: bool = False,
    ) -> Iterator[tuple[str, Any]]:
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        for implementation in reversed(implementations) if latest_first else implementations:
            function = implementation.function
            if convert is not None:
                function = _converted(function, convert)
            chosen = tuple(map(arguments.__getitem__, implementation.argnames))
            result = self._one(self._seats[implementation.plugin_name], hook, function, chosen)
            if result is not _FAILED:
                yield implementation.plugin_name, result

    def _one(self, seat: Seat, hook: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """The result, or ``_FAILED`` if the plugin is off or failed."""
        if seat.off:
            return _FAILED
        started = self._clock.monotonic_ns()
        try:
            if seat.builtin:
                return _of_ours(seat.name, hook, function, arguments)
            inline = seat.inline
            runs = seat.worker if inline is None or inline.lost or hook not in INLINE else inline
            return runs.run(function, arguments, self._deadlines_s.get(hook, self._deadline_s))
        except Busy:  # the hook that keeps the thread has been named
            return _FAILED
        except (Raised, Hung, Late) as error:
            self._fail(seat, hook, self._worded(error, hook))
            return _FAILED
        finally:
            seat.spent_ns += self._clock.monotonic_ns() - started

    def _worded(self, error: BaseException, doing: str) -> BaseException:
        if isinstance(error, Raised):
            return error.error
        if isinstance(error, Hung):
            return TimeoutError(f"{doing} did not end in time: its thread is stuck until it does")
        if isinstance(error, Late):
            return TimeoutError(f"{doing} took too long where it was called: from now on it has the plugin's thread")
        return error

    # ---- faults ----

    def _fail(self, seat: Seat, hook: str, error: BaseException) -> None:
        _log.warning("plugin %s failed in %s", seat.name, hook, exc_info=error)
        with self._lock:
            seat.failures += 1
            last = not seat.off and seat.failures >= self._most_failures
            if last:
                seat.off = f"{FAILED_TOO_OFTEN}, last in {hook}"
            text = f"{type(error).__name__}: {error}"[:500]
            failure = Failure(seat.name, hook, text, version=seat.version, disabled=last)
            self.failures.append(failure)
            tell = self._tell
        if tell is not None:
            tell(failure)

    def fail(self, plugin: str, hook: str, error: BaseException) -> None:
        """What a plugin gave us turned out to be no good."""
        self._fail(self._seats[plugin], hook, error)

    def tell(self, listener: Callable[[Failure], None]) -> None:
        """Have each failure told, those until now first. The listener must not wait."""
        with self._lock:
            earlier = list(self.failures)
            self._tell = listener
        for failure in earlier:
            listener(failure)

    # ---- administration ----

    def names(self) -> list[str]:
        """The registered plugins that get hooks."""
        return sorted(name for name, _ in self._manager.list_name_plugin() if not self._seats[name].off)

    def status(self) -> list[PluginStatus]:
        """Every plugin that is installed or registered, those that are off or broken included; nothing is imported."""
        hooks: dict[str, list[str]] = {}
        for name, plugin in self._manager.list_name_plugin():
            callers = self._manager.get_hookcallers(plugin) if plugin is not None else None
            hooks[name] = sorted(caller.name for caller in callers or ())
        return [seat.status(hooks.get(name, []), self.failures) for name, seat in self._seats.items()]

    def switch(self, name: str, *, on: bool, by: str) -> None:
        """Give a plugin no more hooks, or hooks again. What it offered to composed parts stays until the next start.

        :raises PluginUnknown: if there is none, or it is a built-in
        :raises PluginBlocked: if ``remit.toml`` or the environment keeps it off
        """
        seat = self._third_party(name)
        if seat.off in _KEPT_OFF:
            raise PluginBlocked(f"{name} stays off: {seat.off}")
        with self._lock:
            if not on:
                seat.off = f"{by} disabled it"
            elif self._manager.get_plugin(name) is None:
                seat.off = "it is loaded when the kernel starts again" if not seat.broken else ""
            else:
                seat.off, seat.failures = "", 0

    def _third_party(self, name: str) -> Seat:
        seat = self._seats.get(name)
        if seat is None or seat.builtin:
            raise PluginUnknown(f"there is no plugin {name[:200]!r}" if seat is None else f"{name} is built in")
        return seat

    def findings(self) -> list[Finding]:
        """What is wrong with the plugins, for ``remit doctor`` and the façade."""
        with self._lock:
            failures = {failure.plugin: failure for failure in self.failures}  # the last of each
        found = []
        for name, last in failures.items():
            off = self._seats[name].off
            message = f"plugin {name} failed in {last.hook}: {last.error}" + (f"; it is disabled: {off}" if off else "")
            remedy = f"run 'remit plugin {'enable' if off else 'disable'} {name}'"
            found.append(Finding("warning", "plugin.disabled" if off else "plugin.failed", "", message, remedy))
        for seat in self._seats.values():
            if seat.off.startswith(FAILED_TOO_OFTEN) and seat.name not in failures:
                message = f"plugin {seat.name} is disabled: {seat.off}"
                remedy = f"run 'remit plugin enable {seat.name}'"
                found.append(Finding("warning", "plugin.disabled", "", message, remedy))
        return found

    def close(self) -> None:
        """Let the plugins' threads end; one that is stuck is left behind."""
        for seat in self._seats.values():
            seat.close()


def is_blocked(name: str) -> bool:
    """Whether the environment blocks a plugin."""
    blocked = {word.strip() for word in os.environ.get(BLOCKED_BY, "").split(",")}
    return name in blocked or "*" in blocked


def _of_ours(plugin: str, hook: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except (RemitError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginFailed(f"{plugin} failed in {hook}: {error}", plugin=plugin, hook=hook) from error


def _converted(function: Callable[..., Any], convert: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *arguments: convert(function(*arguments))


def _items(result: Any, kind: type[Any]) -> tuple[Any, ...]:
    """On the plugin's own thread: an endless iterator is as bad as an endless loop."""
    items = () if result is None else tuple(result)
    for item in items:
        _checked(item, kind)
    return items


def _checked(result: Any, kind: type[Any]) -> Any:
    if result is not None and not isinstance(result, kind):
        raise TypeError(f"gave {type(result).__name__} where {kind.__name__} is wanted")
    return result
