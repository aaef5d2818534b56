"""Which calls are taken down, and how fully: as the home or the caller says, unless the unit's schemas forbid it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from remit.host.home.home import Home
from remit.kernel.answers import Recorder
from remit.kernel.scope import Scope
from remit.sandbox.running.transcripts import Transcriber
from remit.schemas import sensitive_pointers
from remit.units import Library

__all__ = ["Transcribers"]


class Transcribers:
    """Gives each call its recorder; see :data:`remit.kernel.hostcall.Recorders`."""

    def __init__(self, home: Home, library: Library) -> None:
        self._home = home
        self._library = library
        # A bundle never changes under its digest.
        self._sensitive = lru_cache(maxsize=2048)(self._marks_something)

    def __call__(self, scope: Scope, export: str, arguments: tuple[Any, ...]) -> Recorder | None:
        """The recorder of one call, or ``None``.

        Where a schema of the unit marks anything as sensitive, ``full`` becomes ``digests``: what is sensitive is never
        kept, and without it the call would not replay.
        """
        mode = scope.caller.record or self._home.config.record.get("mode", "off")
        if mode == "off":
            return None
        program = scope.program
        action = arguments[0] if export == "provider.call" else ""
        if mode == "full" and self._sensitive(program.unit.digest, action, export):
            mode = "digests"
        from remit.sandbox.engines.engine import fingerprint  # noqa: PLC0415 - wasmtime loads with the first call

        return Transcriber(mode, scope, export, arguments, fingerprint(metered=program.limits.fuel is not None))

    def _marks_something(self, digest: str, action: str, export: str) -> bool:
        manifest = self._library.manifest(digest)
        names = [manifest.parameters.schema]
        called = [one for one in manifest.actions if (one.export == export if one.export else one.name == action)]
        names += [name for one in called for name in (one.input, one.output)]
        schemas = [self._library.schema(digest, name) for name in names]
        return any(sensitive_pointers(schema) for schema in schemas if schema is not None)
