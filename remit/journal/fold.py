"""Read models: pure folds over the journal, kept current as they are read, with snapshots and answers for any time.

A fold gets records in the order of the chain, in batches; its state is whatever it likes. Folds of kernel topics must
look at :attr:`Record.from_kernel`, since anybody may *say* anything in an event of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import apsw
import msgspec

from remit.errors import ModelUnknown
from remit.journal.event import Record, encode_json
from remit.journal.log import Journal

__all__ = ["Fold", "Folds", "Reading", "inline"]

S = TypeVar("S")
_SNAPSHOT_EVERY = 10_000
_BATCH = 1_000
_PIECE = 256
"""Records that are shown to one fold after the other: each takes a microsecond or so of each."""


class Reading(Protocol):
    """How a fold reads what a record says."""

    def __call__(self, record: Record, kind: Any = Any) -> Any:
        """The data of a record, inline or by reference, as a type: of what is large, read what the fold needs.

        :raises JournalError: if it was erased
        :raises msgspec.ValidationError: if it is not of that type
        """
        ...


def inline(record: Record, kind: Any = Any) -> Any:
    """:class:`Reading` of a record that holds its data itself."""
    data = record.event.data
    return data if kind is Any else msgspec.json.decode(encode_json(data), type=kind)


@runtime_checkable
class Fold(Protocol[S]):
    """One read model."""

    name: str
    version: int
    """Raised when ``apply`` or the snapshot changes meaning: older snapshots are then ignored and replayed."""
    topics: tuple[str, ...]
    """Prefixes of the event types it reads (``"unit."``); ``("",)`` for all."""

    def init(self) -> S:
        """The state before the first record."""
        ...

    def apply(self, state: S, records: Sequence[Record], data: Reading) -> S:
        """The state after these records; the given state stays as it was, others may be reading it."""
        ...

    def snapshot(self, state: S) -> bytes:
        """The state as bytes."""
        ...

    def restore(self, data: bytes) -> S:
        """The state that :meth:`snapshot` wrote."""
        ...

    def view(self, state: S) -> object:
        """The state as JSON-able data, for ``remit state``."""
        ...


class _Current(Generic[S]):
    """One fold's state, and the last record in it."""

    def __init__(self, fold: Fold[S], seq: int, state: S) -> None:
        self.fold = fold
        self.seq = seq
        self.state = state
        self.saved = seq
        self.lock = threading.Lock()


class Folds:
    """The read models of one open journal: current state, and state as of any sequence number."""

    def __init__(self, journal: Journal, folds: Iterable[Fold[Any]]) -> None:
        self._journal = journal
        self._current: dict[str, _Current[Any]] = {}
        self._payload: tuple[str, bytes, Any] = ("", b"", None)
        """The payload that was read last: its digest, its bytes, and what they say once a fold asked for all of it."""
        for fold in folds:
            self._current[fold.name] = _Current(fold, *self._nearest(fold, journal.head.seq))

    def names(self) -> list[str]:
        """Every read model."""
        return sorted(self._current)

    def state(self, name: str) -> Any:
        """The current state of a fold, with everything that was committed before this call. Not to be changed.

        :raises ModelUnknown: if no fold has that name
        """
        return self.latest(name)[1]

    def latest(self, name: str) -> tuple[int, Any]:
        """:meth:`state`, after the number of the last record that it could know.

        :raises ModelUnknown: if no fold has that name
        """
        current = self._get(name)
        with current.lock:
            head = self._journal.head.seq
            if current.seq < head:
                current.state = self._advance(current.fold, current.state, current.seq, head)
                current.seq = head
                if head - current.saved >= _SNAPSHOT_EVERY:
                    self._save(current)
            return current.seq, current.state

    def at(self, name: str, seq: int) -> Any:
        """The state as it was right after record ``seq``, replayed from the nearest snapshot before it."""
        fold = self._get(name).fold
        start, state = self._nearest(fold, seq)
        return self._advance(fold, state, start, seq)

    def view(self, name: str, seq: int | None = None) -> Any:
        """A state as JSON-able data, now or as of ``seq``."""
        state = self.state(name) if seq is None else self.at(name, seq)
        return self._get(name).fold.view(state)

    def view_latest(self, name: str) -> tuple[int, Any]:
        """:meth:`latest` as JSON-able data."""
        seq, state = self.latest(name)
        return seq, self._get(name).fold.view(state)

    def save(self) -> None:
        """Write a snapshot of every fold that moved since its last one, so that the next start is quick.

        One that is far behind is written as far as it is: whoever closes a journal does not wait for the rest of it.
        """
        for name, current in self._current.items():
            if self._journal.head.seq - current.seq < _SNAPSHOT_EVERY:
                self.state(name)
            with current.lock:
                if current.seq > current.saved:
                    self._save(current)

    @property
    def behind(self) -> int:
        """How many records the fold that is furthest behind has not seen."""
        head = self._journal.head.seq
        return max((head - current.seq for current in self._current.values()), default=0)

    def keep_up(
        self,
        stopped: Callable[[], bool] = lambda: False,
        *,
        names: Iterable[str] | None = None,
        rest: Callable[[], object] = lambda: None,
    ) -> None:
        """Show every fold what it has not seen, in one reading of the journal; those far from their snapshot get one.

        A fold that fails is left where it is: whoever asks for it hears why.

        :param names: only these folds
        :param rest: called again and again, after some tenths of a millisecond of work each time
        """
        standing = [self._get(name) for name in (self._current if names is None else names)]
        while standing and not stopped() and (page := self._journal.page(min(one.seq for one in standing))):
            for first in range(0, len(page), _PIECE):
                piece = page[first : first + _PIECE]
                said = frozenset(record.event.type for record in piece)
                for current in list(standing):
                    try:
                        if self._show(current, piece, said):
                            rest()
                    except Exception:  # noqa: BLE001 - a plugin's fold must not keep the others from their records
                        standing.remove(current)

    def _show(self, current: _Current[Any], page: Sequence[Record], said: frozenset[str]) -> bool:
        """Take what is new to a fold from a page that begins at or before its next record; whether there was anything.

        :param said: the types of the records: most pages hold few, and nothing for most folds
        """
        topics = tuple(current.fold.topics)
        wanted = frozenset(kind for kind in said if kind.startswith(topics))
        with current.lock:  # for one page: whoever asks meanwhile does not wait for the rest
            new = [one for one in page if one.event.type in wanted and one.seq > current.seq] if wanted else []
            if new:
                current.state = current.fold.apply(current.state, new, self._data)
            current.seq = max(current.seq, page[-1].seq)
            if current.seq - current.saved >= _SNAPSHOT_EVERY:
                self._save(current)
        return bool(new)

    def _get(self, name: str) -> _Current[Any]:
        try:
            return self._current[name]
        except KeyError:
            raise ModelUnknown(f"there is no read model {name!r}") from None

    def _advance(self, fold: Fold[S], state: S, after: int, until: int) -> S:
        batch: list[Record] = []
        for record in self._journal.read(after, prefixes=fold.topics):
            if record.seq > until:
                break
            batch.append(record)
            if len(batch) >= _BATCH:
                state = fold.apply(state, batch, self._data)
                batch = []
        return fold.apply(state, batch, self._data) if batch else state

    def _data(self, record: Record, kind: Any = Any) -> Any:
        """What a record says; a payload is kept for the folds that ask for it next: a generation is long."""
        digest = record.event.dataref
        if not digest:
            return inline(record, kind)
        kept = self._payload
        if kept[0] != digest:
            kept = self._payload = (digest, self._journal.payload(digest), None)
        if kind is not Any:
            return msgspec.json.decode(kept[1], type=kind)
        if kept[2] is None:
            kept = self._payload = (*kept[:2], msgspec.json.decode(kept[1]))
        return kept[2]

    def _nearest(self, fold: Fold[S], seq: int) -> tuple[int, S]:
        """The newest snapshot of this fold up to ``seq`` that still fits the chain, else the beginning."""
        rows = self._journal.execute(
            "SELECT s.seq, s.data FROM snapshot s JOIN record r ON r.seq = s.seq AND r.hash = s.hash "
            "WHERE s.fold = ? AND s.version = ? AND s.seq <= ? ORDER BY s.seq DESC LIMIT 1",
            (fold.name, fold.version, seq),
        )
        if rows:
            try:
                return rows[0][0], fold.restore(rows[0][1])
            except Exception:  # noqa: BLE001 - a snapshot is a cache: one that cannot be read is replayed
                return 0, fold.init()
        return 0, fold.init()

    def _save(self, current: _Current[Any]) -> None:
        fold, seq = current.fold, current.seq
        data = fold.snapshot(current.state)

        def write(connection: apsw.Connection, _records: Sequence[Record]) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO snapshot SELECT ?, ?, seq, hash, ? FROM record WHERE seq = ?",
                (fold.name, fold.version, data, seq),
            )
            connection.execute("DELETE FROM snapshot WHERE fold = ? AND version <> ?", (fold.name, fold.version))
            found: list[Any] = connection.execute(
                "SELECT seq FROM snapshot WHERE fold = ? ORDER BY seq", (fold.name,)
            ).fetchall()
            spare = _spare([row[0] for row in found], seq)
            connection.executemany(
                "DELETE FROM snapshot WHERE fold = ? AND seq = ?", [(fold.name, old) for old in spare]
            )

        self._journal.submit([], project=write)
        current.saved = seq


def _spare(snapshots: Sequence[int], newest: int) -> list[int]:
    """The snapshots that need not be kept: all but the newest, and the first of each stretch of the past.

    Stretches are twice as long where the past is twice as far away, so that a journal of n records keeps about log n.
    They are aligned: the first of a long stretch was the first of a short one before, and is still there.
    """
    kept: set[tuple[int, int]] = set()
    spare = []
    for seq in snapshots:
        age = (newest - seq) // _SNAPSHOT_EVERY
        width = _SNAPSHOT_EVERY << max(age.bit_length() - 1, 0)
        if seq != newest and (width, seq // width) in kept:
            spare.append(seq)
        kept.add((width, seq // width))
    return spare
