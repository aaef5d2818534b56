"""From an artifact's digest to a loaded component: finds or makes the code, checks its seal, links it, keeps it.

Nothing is run here. What is loaded stays until there is too much of it, and is loaded anew in a child of ``fork``.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from wasmtime import Engine, WasmtimeError
from wasmtime.component import Component

from remit.errors import ArtifactInvalid, CacheTampered, HomeError, HostFault, ImportRefused
from remit.kernel.model import Program
from remit.kernel.ports import Progress, no_progress
from remit.sandbox.code.cache import CodeCache, Sealed
from remit.sandbox.code.compiling import CompileBounds, compile_component, refuse_at_sight
from remit.sandbox.code.loading import load_component
from remit.sandbox.engines.engine import SLOT_MEMORIES, abandon, engine_for, fingerprint
from remit.sandbox.guest.linking import build_linker
from remit.sandbox.guest.loaded import Loaded
from remit.sandbox.wit.contract import Shape, check

__all__ = ["SMALL", "Library"]

_LOADED = 1 << 30
"""Bytes of code of all loaded components together."""
_KNOWN = 4096
SMALL = 1 << 20
"""Bytes of code up to which a component goes into a slot: more brings state that is dearer to wipe than to map."""

Key = tuple[str, bool, int, bool]
"""Artifact, metered, bytes of stack, whether slots may be used."""


class Library:
    """The components of one runner. Safe from any thread."""

    def __init__(self, cache: CodeCache, bounds: CompileBounds) -> None:
        self._cache = cache
        self._bounds = bounds
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[Key, threading.Lock] = {}
        self._loaded: dict[Key, Loaded] = {}
        self._uses = itertools.count()
        self._sources: OrderedDict[str, Callable[[], bytes]] = OrderedDict()

    def after_fork(self) -> None:
        """Forget what belongs to the parent; the code is loaded again from the cache, for this process's engine."""
        sources = self._sources
        abandon(self._loaded)
        self._reset()
        self._sources = sources

    def clear(self) -> None:
        """Let go of everything that is loaded or known."""
        with self._lock:
            self._loaded.clear()
            self._sources.clear()

    def shape(self, component: bytes, progress: Progress) -> Shape:
        """What a component asks for and offers; it is compiled into the cache on the way.

        :raises ArtifactInvalid: if the bytes are not a component, or take too much to compile
        """
        refuse_at_sight(component, self._bounds)
        artifact = f"sha256:{hashlib.sha256(component).hexdigest()}"
        return self._sealed(artifact, lambda: component, metered=False, progress=progress).shape

    def prepare(self, artifact: str, load: Callable[[], bytes], progress: Progress, *, metered: bool) -> None:
        """Compile an artifact into the cache, unless it is there, and remember where its bytes come from.

        :raises ArtifactInvalid: if it does not compile within the compiler's bounds, or is not what its digest says
        :raises DiskFull, HomeReadOnly: if the cache cannot take it
        """
        with self._lock:
            self._sources[artifact] = load
            self._sources.move_to_end(artifact)
            while len(self._sources) > _KNOWN:
                self._sources.popitem(last=False)
        self._sealed(artifact, load, metered=metered, progress=progress)

    def has(self, program: Program) -> bool:
        """Whether a program's component is loaded: then :meth:`get` takes microseconds."""
        return _key(program) in self._loaded

    def get(self, program: Program, *, slots: bool = True) -> Loaded:
        """A prepared program's component.

        :param slots: whether its instances may go into an engine's slots
        :raises ImportRefused: if the component imports what the program does not declare
        :raises CacheTampered: if the cached code was changed and the artifact's bytes are not known here
        """
        key = _key(program, slots=slots)
        loaded = self._loaded.get(key) or self._load(key)
        loaded.used = next(self._uses)
        if not loaded.imported <= program.interfaces:
            undeclared = sorted(loaded.imported - program.interfaces)
            raise ImportRefused(f"the unit imports {', '.join(undeclared)} without declaring it", imports=undeclared)
        return loaded

    # ---- the steps ----

    def _load(self, key: Key) -> Loaded:
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if (loaded := self._loaded.get(key)) is not None:
                    return loaded
            try:
                loaded = self._load_checked(key)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                loaded.used = next(self._uses)
                self._loaded[key] = loaded
                while len(self._loaded) > 1 and sum(each.size for each in self._loaded.values()) > _LOADED:
                    del self._loaded[min(self._loaded, key=lambda each: self._loaded[each].used)]
            return loaded

    def _load_checked(self, key: Key) -> Loaded:
        artifact, metered, _stack, _slots = key
        source = self._sources.get(artifact)
        sealed = self._sealed(artifact, source, metered=metered, progress=no_progress)
        try:
            return self._link(sealed, key)
        except CacheTampered:
            if source is None:
                raise
        return self._link(self._compile(artifact, source, metered=metered, progress=no_progress), key)

    def _link(self, sealed: Sealed, key: Key) -> Loaded:
        _, metered, stack, slots = key
        imported, exported = check(sealed.shape)
        with self._cache.untouched(sealed) as handle:
            code = handle if handle is not None else self._cache.code(sealed)
            engine, component = _component(sealed, code, metered=metered, stack=stack, slots=slots)
        try:
            linker = build_linker(engine, component)
        except WasmtimeError as error:
            raise ArtifactInvalid(f"the component's imports cannot be linked: {str(error)[:500]}") from error
        return Loaded(
            engine,
            component,
            linker,
            partial(build_linker, engine, component, later=True),
            imported=imported,
            exported=exported,
            shape=sealed.shape,
            size=sealed.size,
            metered=metered,
        )

    def _sealed(
        self, artifact: str, source: Callable[[], bytes] | None, *, metered: bool, progress: Progress
    ) -> Sealed:
        tampered: CacheTampered | None = None
        try:
            sealed = self._cache.find(artifact, fingerprint(metered=metered))
        except CacheTampered as error:
            sealed, tampered = None, error
        if sealed is not None:
            return sealed
        if source is None:
            raise tampered or HostFault(f"{artifact} was not prepared", remedy="prepare the artifact before running it")
        try:
            return self._compile(artifact, source, metered=metered, progress=progress)
        except HomeError as error:
            # What is in the way of a new record is not ours: say that, rather than that nothing can be written.
            raise tampered or error from error

    def _compile(self, artifact: str, source: Callable[[], bytes], *, metered: bool, progress: Progress) -> Sealed:
        component = source()
        if f"sha256:{hashlib.sha256(component).hexdigest()}" != artifact:
            raise ArtifactInvalid(f"the bytes given for {artifact} do not have that digest")
        with compile_component(
            component,
            metered=metered,
            folder=self._cache.folder,
            bounds=self._bounds,
            progress=progress,
            label=artifact[:19],
        ) as compiled:
            return self._cache.store(artifact, fingerprint(metered=metered), compiled)


def _component(
    sealed: Sealed, code: bytes | int, *, metered: bool, stack: int, slots: bool
) -> tuple[Engine, Component]:
    """The component in the engine that suits it; a machine without address space for slots does without."""
    if slots and sealed.size <= SMALL and sealed.shape.memories <= SLOT_MEMORIES:
        with suppress(WasmtimeError):
            engine = engine_for(metered=metered, stack=stack, pooled=True)
            return engine, load_component(engine, code)
    engine = engine_for(metered=metered, stack=stack)
    try:
        return engine, load_component(engine, code)
    except WasmtimeError as error:
        raise CacheTampered(f"the cached code of {sealed.artifact} does not load: {error}") from error


def _key(program: Program, *, slots: bool = True) -> Key:
    return (program.artifact, program.limits.fuel is not None, program.limits.stack, slots)
