"""Somebody who swaps a folder for a link, over and over, while others walk through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def swapping(inner: Path, link: Path, spare: Path) -> Iterator[None]:
    """Let the names ``inner``, a folder, and ``link`` change places for as long as the block lasts.

    :param spare: a name that is free
    """
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inner.rename(spare)
            link.rename(inner)
            inner.rename(link)
            spare.rename(inner)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        yield
    finally:
        stop.set()
        swapper.join()
