"""The author's code cache: what a build compiled, ready for the homes in which a unit is tried and that go afterwards.

It is this user's, under a key beside it, and sealed like every home's. A home that stays compiles for itself.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from remit.errors import RemitError
from remit.journal import Progress, digest_of, no_progress
from remit.journal.files import write_atomically
from remit.kernel.model import Decision
from remit.kernel.ports import SystemClock, SystemIds
from remit.units.manifest import Manifest
from remit.units.stock.admission import check_component

__all__ = ["lend_code", "precompile"]

_MOST_BYTES = 512 << 20
"""How much may lie there before it is emptied."""
_KEY_BYTES = 32


def precompile(manifest: Manifest, artifact: bytes, progress: Progress = no_progress) -> int:
    """Check what an artifact asks for and offers, and compile it into the author's cache; gives the bytes of code.

    :raises ArtifactInvalid: if it does not compile
    :raises ImportRefused: if it imports what the manifest does not declare
    :raises ExportMissing: if it does not export what the manifest promises
    """
    if manifest.native is not None:
        from remit.native.runner import NativeRunner  # noqa: PLC0415 - as below

        native = NativeRunner(SystemIds(SystemClock()), lambda _unit: Decision("deny"))
        check_component(manifest, artifact, native, progress)
        return 0
    from remit.sandbox.running.runner import ComponentRunner  # noqa: PLC0415 - wasmtime loads when wanted

    with ExitStack() as closing:
        try:
            folder, key = _cache()
            _make_room(folder)
        except (RemitError, OSError):  # no place for it: what was made is checked all the same
            folder, key = (
                Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="remit-build-"))),
                bytes(_KEY_BYTES),
            )
        runner = ComponentRunner(folder, key, SystemClock())
        closing.callback(runner.close)
        check_component(manifest, artifact, runner, progress)
        digest = digest_of(artifact)
        return max((entry.size for entry in runner.entries() if entry.artifact == digest), default=0)


def lend_code(root: Path | str) -> None:
    """Have a home that goes afterwards, and was never opened, use the author's cache; or not, where there is none."""
    private = Path(root, ".remit")
    with suppress(RemitError, OSError):
        folder, key = _cache()
        if not (private / "keys" / "code-cache").exists():
            (private / "cache" / "code").symlink_to(folder)
            write_atomically(private / "keys" / "code-cache", key)


def _cache() -> tuple[Path, bytes]:
    """The folder and the key of its seals, made where they are not there."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "remit"
    folder, key = base / "code", base / "code.key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        ids = SystemIds(SystemClock())
        made = base / f".{ids.new()}.key"
        write_atomically(made, ids.random(_KEY_BYTES))
        with suppress(FileExistsError):  # two builds at once: the first one's key is the key
            os.link(made, key)
        made.unlink()
    return folder, key.read_bytes()


def _make_room(folder: Path) -> None:
    files = list(folder.glob("*.code"))
    if sum(file.stat().st_size for file in files if file.exists()) > _MOST_BYTES:
        for file in (*folder.glob("*.sealed"), *files):
            file.unlink(missing_ok=True)
