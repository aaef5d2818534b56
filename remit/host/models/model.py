"""One form for read models whose state is one struct: a step, a view, and nothing else to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from remit.errors import JournalError
from remit.journal import Record

__all__ = ["Data", "Model", "amount", "listed", "said", "text"]

S = TypeVar("S", bound=msgspec.Struct)
Data = Callable[[Record], Any]
_MAX_TEXT = 500
_MAX_LISTED = 32


class Model(Generic[S]):
    """A fold (:class:`remit.journal.Fold`) made of functions."""

    def __init__(
        self,
        name: str,
        version: int,
        topics: tuple[str, ...],
        kind: type[S],
        step: Callable[[S, Record, Data], S],
        show: Callable[[S], object],
    ) -> None:
        """:param step: the state after one record. Dicts of the state it is given are its own, what is in them is not.

        :param show: the state as JSON-able data
        """
        self.name = name
        self.version = version
        self.topics = topics
        self._kind = kind
        self._step = step
        self._show = show

    def init(self) -> S:
        """The state before the first record."""
        return self._kind()

    def apply(self, state: S, records: Sequence[Record], data: Data) -> S:
        """The state after these records."""
        state = _own(state)
        for record in records:
            state = self._step(state, record, data)
        return state

    def snapshot(self, state: S) -> bytes:
        """The state as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> S:
        """The state that :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=self._kind)

    def view(self, state: S) -> object:
        """The state for people and programs."""
        return self._show(state)


def _own(state: S) -> S:
    """The state with dicts of its own: others may be reading those of the one before."""
    fields = {name: getattr(state, name) for name in state.__struct_fields__}
    return msgspec.structs.replace(state, **{name: dict(one) for name, one in fields.items() if isinstance(one, dict)})


def said(record: Record, data: Data) -> Mapping[str, Any]:
    """What a record of the kernel says; nothing where it is another's, malformed or erased."""
    if not record.from_kernel:
        return {}
    try:
        found = data(record)
    except JournalError:
        return {}
    # Nearly always a dict: asking the abstract class first would cost most of this.
    return found if type(found) is dict or isinstance(found, Mapping) else {}


def text(value: object) -> str:
    """A text of bounded length, "" for anything else."""
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def amount(value: object) -> int:
    """A number of something, 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def listed(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """A list with these added at its end, each once; the oldest make room."""
    added = [one for one in more if one and one not in known]
    return (*known, *dict.fromkeys(added))[-_MAX_LISTED:] if added else known
