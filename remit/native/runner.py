"""The kernel's port for running native code: loads what a bundle holds, and runs each call on a thread of its own.

A unit's modules are loaded once for each project that calls them, and stay: like an instance that is kept, but calls at
the same time share them.
"""

from __future__ import annotations

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    Denied,
    ExportMissing,
    GuestTrapped,
    HostFault,
    InputTooLarge,
    OutputTooLarge,
)
from remit.journal import digest_of
from remit.kernel.model import Decision, Exported, GuestOutcome, Limits, Program, UnitRef
from remit.kernel.ports import HostCalls, Ids, Progress, no_progress
from remit.native.call import Call, Stopped, received
from remit.native.judging import FACES, faces_of
from remit.native.loading import Modules
from remit.schemas.modules import decode_modules

__all__ = ["NativeRunner"]

_THREADS = 64
"""Calls at a time, the ones that do not come back among them."""
_LOADED = 64
_LOAD_MS = 60_000
"""Milliseconds that a unit's top level may take: it may import what is large."""
_FRAMES = -8
_SDK = "remit_unit"


class _Loaded(NamedTuple):
    """A unit's code in this process, once for each project."""

    modules: Modules
    entry: Any
    """The module that answers."""
    using: Callable[[Call], Any]
    """The SDK's way to have a host while inside."""
    errors: Any
    """The SDK's exceptions, as this unit has them."""


class NativeRunner:
    """Runs native code; implements :class:`remit.kernel.ports.Runner`.

    :param ids: names what is loaded
    :param allowed: policy's answer to a unit's running here, asked at every call
    """

    def __init__(self, ids: Ids, allowed: Callable[[UnitRef], Decision]) -> None:
        self._ids = ids
        self._allowed = allowed
        self._lock = threading.Lock()
        self._sources: dict[str, Callable[[], bytes]] = {}
        self._loaded: OrderedDict[tuple[str, str], _Loaded] = OrderedDict()
        self._loading = threading.Lock()
        self._active: dict[int, Call] = {}
        self._early: OrderedDict[int, HostCalls] = OrderedDict()
        self._threads = threading.BoundedSemaphore(_THREADS)
        self._closed = False

    # ---- the port ----

    def interfaces(
        self, component: bytes, progress: Progress = no_progress, *, native: str = ""
    ) -> tuple[frozenset[str], frozenset[str]]:
        """What the code serves, by reading it. It imports nothing of ours by name: the door looks at each use.

        :raises ArtifactInvalid: if it is no native code, or has no module ``native``
        """
        del progress
        return frozenset(), faces_of(decode_modules(component), native)

    def functions(self, component: bytes, progress: Progress = no_progress) -> Mapping[str, Exported]:
        """Nothing: native code speaks our world."""
        del component, progress
        return {}

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """Remember where the bytes come from. Nothing is imported before the first call."""
        del progress, metered, native
        self._sources[artifact] = load

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """Run an export on a thread of its own.

        :raises Denied: if policy does not let this unit's code run in the kernel's process now
        :raises DeadlineExceeded: if it takes longer; Python code is interrupted, what waits in C is left behind
        :raises SandboxError: one class per limit and fault
        """
        decision = self._allowed(program.unit)
        if not decision.allowed:
            raise Denied(
                f"native code of {program.unit.id} may not run: {decision.verdict}",
                remedy="permit unit:native for its publisher in policy/, or remove the unit",
                policies=list(decision.policies),
            )
        _check_input(arguments, program.limits)
        loaded = self._have(program, host.partition, deadline_ms)
        call = Call(host, program.interfaces, loaded.errors.Refused)
        self._enter(call)
        try:
            work = partial(_serve, loaded, export, arguments, call)
            answer = call.run(work, deadline_ms, partial(self._start, program.unit.id, deadline_ms))
        finally:
            with self._lock:
                self._active.pop(id(host), None)
        return _outcome(answer, program.limits)

    def cancel(self, host: HostCalls) -> None:
        """Stop the call that runs with this door, or that will."""
        with self._lock:
            call = self._active.get(id(host))
            if call is None:
                self._early[id(host)] = host
                while len(self._early) > _LOADED:
                    self._early.popitem(last=False)
                return
        call.cancel()

    def entries(self) -> Sequence[msgspec.Struct]:
        """Nothing is compiled to disk."""
        return ()

    def clear(self) -> int:
        """Nothing is compiled to disk."""
        return 0

    def close(self) -> None:
        """Stop what runs, and let go of what is loaded."""
        with self._lock:
            self._closed = True
            active, loaded = list(self._active.values()), list(self._loaded.values())
            self._loaded.clear()
        for call in active:
            call.cancel()
        for one in loaded:
            one.modules.close()

    # ---- what is loaded ----

    def _have(self, program: Program, partition: str, deadline_ms: int) -> _Loaded:
        key = (program.artifact, partition)
        with self._lock:
            found = self._loaded.get(key)
            if found is not None:
                self._loaded.move_to_end(key)
                return found
        # Two first calls at once import one after the other; and that is not on the unit's own deadline.
        if not self._loading.acquire(timeout=deadline_ms / 1_000):
            raise DeadlineExceeded("other native code was being loaded for too long", deadline_ms=deadline_ms)
        try:
            with self._lock:
                found = self._loaded.get(key)
            return found or self._load(program, key)
        finally:
            self._loading.release()

    def _load(self, program: Program, key: tuple[str, str]) -> _Loaded:
        source = self._sources[program.artifact]()
        if digest_of(source) != program.artifact:
            raise HostFault(f"the native code of {program.unit.id} is not what was admitted")
        package = f"remit_native_{self._ids.new().lower()}"
        label = f"{program.unit.id}@{program.unit.version} {program.artifact[7:15]}"
        modules = Modules(decode_modules(source), package, label)
        loading = Call(_NoHost(), frozenset(), _unserved)
        try:
            work = partial(_imported, modules, program.native)
            loaded: _Loaded = loading.run(work, _LOAD_MS, partial(self._start, program.unit.id, _LOAD_MS))
        except BaseException:
            modules.close()
            raise
        with self._lock:
            self._loaded[key] = loaded
            dropped = self._loaded.popitem(last=False)[1] if len(self._loaded) > _LOADED else None
        if dropped is not None:
            dropped.modules.close()
        return loaded

    # ---- calls ----

    def _enter(self, call: Call) -> None:
        with self._lock:
            if self._closed:
                raise HostFault("the runner was closed")
            if self._early.pop(id(call.host), None) is not None:
                raise CallCancelled("the call was cancelled before it began")
            self._active[id(call.host)] = call

    def _start(self, unit: str, limit_ms: int, body: Callable[[], None]) -> None:
        if not self._threads.acquire(timeout=limit_ms / 1_000):
            raise DeadlineExceeded(
                f"{_THREADS} calls of native code run already, or do not come back",
                remedy="see 'remit unit list' for native units; a restart ends what hangs",
            )

        def bounded() -> None:
            try:
                body()
            finally:
                self._threads.release()

        threading.Thread(target=bounded, name=f"remit-native {unit}", daemon=True).start()


class _NoHost:
    """The door while modules are imported: there is no call, and nothing to ask."""

    abort = None
    partition = ""

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        raise NotImplementedError


def _unserved(code: str, message: str) -> Exception:
    return RuntimeError(f"{code}: {message}")


def _imported(modules: Modules, name: str) -> _Loaded:
    """The unit's entry, imported, and what it has of the SDK.

    :raises GuestTrapped: if it cannot be imported
    """
    try:
        sdk, errors = modules.module(f"{_SDK}.native"), modules.module(f"{_SDK}.errors")
        return _Loaded(modules, modules.module(name), sdk.using, errors)
    except Stopped:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit included, as below
        said = _traced(error)
        raise GuestTrapped(f"the module {name} cannot be imported: {type(error).__name__}: {error}", log=said) from None


def _serve(loaded: _Loaded, export: str, arguments: tuple[Any, ...], call: Call) -> object:
    """What the unit's face answers, in the words of the world."""
    interface, _, method = export.partition(".")
    face = getattr(loaded.entry, FACES.get(interface, ""), None)
    if face is None:
        raise ExportMissing(f"the module does not serve {export[:100]}")
    try:
        with loaded.using(call):
            answer: object = getattr(face(), method)(*map(received, arguments))
            return answer
    except Stopped:
        raise
    except loaded.errors.Rejected as error:
        return GuestOutcome("rejected", str(error))
    except loaded.errors.Retry as error:
        return GuestOutcome("retry", str(error), after_ms=max(0, int(error.after_ms)))
    except BaseException as error:  # noqa: BLE001 - SystemExit included: it ends the call, and nothing else
        return GuestOutcome("failed", _traced(error))


def _traced(error: BaseException) -> str:
    """The traceback, without the frame of ours that it began in."""
    inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
    return "".join(traceback.format_exception(error.with_traceback(inner), limit=_FRAMES)).rstrip()


def _outcome(answer: object, limits: Limits) -> GuestOutcome:
    if isinstance(answer, str):
        answer = GuestOutcome("ok", answer)
    if not isinstance(answer, GuestOutcome):
        raise GuestTrapped(f"the unit answered {type(answer).__name__}, not text")
    if _size(answer.text) > limits.output:
        raise OutputTooLarge(f"the guest returned more than {limits.output} bytes", limit=limits.output)
    return answer


def _check_input(arguments: tuple[Any, ...], limits: Limits) -> None:
    parts = [part for one in arguments for part in (one.values() if isinstance(one, dict) else (one,))]
    size = sum(_size(part) for part in parts if isinstance(part, str))
    if size > limits.input:
        raise InputTooLarge(f"the input has {size} bytes, more than the {limits.input} of one call", limit=limits.input)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
