"""Pages of older records, decoded once for all who catch up: subscriptions that fell behind read the same again."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import attrgetter

from remit.journal.event import Record

__all__ = ["PAGE", "Pages"]

PAGE = 1_000
"""Records of a page at most."""
_KEPT = 8
"""Pages that are kept; a record has some four KiB at most, for larger data lies beside the chain."""
_SEQ = attrgetter("seq")


class Pages:
    """The pages that were read last. Safe for many threads; rows never change, so neither do pages that are full."""

    def __init__(self, read: Callable[[int], list[Record]]) -> None:
        """:param read: the records after one, up to :data:`PAGE` of them."""
        self._read = read
        self._lock = threading.Lock()
        self._pages: OrderedDict[int, list[Record]] = OrderedDict()

    def after(self, seq: int) -> Sequence[Record]:
        """The next records after ``seq``, as many as their page has; none at the end."""
        first = seq - seq % PAGE
        with self._lock:
            page = self._pages.get(first)
            if page is not None:
                self._pages.move_to_end(first)
        if page is None:
            page = self._read(first)
            if len(page) == PAGE:
                self._keep(first, page)
        return page[bisect_right(page, seq, key=_SEQ) :]

    def _keep(self, first: int, page: list[Record]) -> None:
        with self._lock:
            self._pages[first] = page
            if len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
