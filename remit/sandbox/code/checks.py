"""What the doctor looks at in the cache of compiled code: seals that are not ours, code that is not what was sealed.

Such code is never run; it is compiled anew where it is wanted. Here it is found before somebody waits for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from remit.errors import CacheTampered
from remit.journal import Progress
from remit.journal.checks import Check, Trouble
from remit.kernel.ports import Home
from remit.sandbox.code.cache import CodeCache

__all__ = ["cache_check"]


def cache_check(home: Home) -> Check:
    """The check of a home's cache."""
    return Check("cache", "the cache of compiled code", partial(_troubles, home))


def _troubles(home: Home, progress: Progress) -> Iterator[Trouble]:
    folder = home.cache / "code"
    if not folder.is_dir():
        return
    cache = CodeCache(folder, home.secret("code-cache"))
    paths = sorted(folder.glob("*.sealed"))
    for number, path in enumerate(paths):
        progress("reading compiled code", number / len(paths))
        artifact, _, engine = path.name.removesuffix(".sealed").partition("-")
        try:
            sealed = cache.find(f"sha256:{artifact}", engine)
            if sealed is not None:
                cache.code(sealed)
        except CacheTampered as error:
            fix = f"remove the record of {artifact[:12]}; its code is compiled again when it is wanted"
            yield Trouble("warning", error.message, "", fix, partial(_remove, path))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
