"""Archived events: the bytes of old rows, compressed, a file for each stretch of the chain.

The row stays in the table with its hashes, its event empty; the chain is over the event's bytes wherever they lie, so
that ``verify`` finds a changed, swapped or missing file like a changed row. Payloads are not archived: they may have
to be erased.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from remit.errors import JournalCorrupt
from remit.journal.files import translate_os_error, write_atomically
from remit.schemas import formats

__all__ = ["SEGMENT", "Archive"]

SEGMENT = 5_000
"""Rows of one file; the first file has rows 1 to 5,000."""

_HEADER = f"remit {formats.ARCHIVE}\n".encode()
_LENGTH = struct.Struct(">I")
_MOST = 256 << 20
"""Bytes of one segment's events, unpacked."""
_KEPT = 4
"""Segments in memory."""


class Archive:
    """The archived events of one journal. Safe for many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[int, Sequence[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, number: int) -> Path:
        """The file of a segment, counted from 0."""
        return self._folder / f"{number * SEGMENT + 1:012}.events"

    def event(self, seq: int) -> bytes:
        """The bytes of a row's event.

        :raises JournalCorrupt: if they are not here, or the file cannot be read
        """
        number, place = divmod(seq - 1, SEGMENT)
        with self._lock:
            found = self._kept.get(number)
            if found is None:
                found = self._kept[number] = self.read(number)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
        return found[place]

    def write(self, number: int, events: Sequence[bytes]) -> None:
        """Write a segment, whole or not at all, and read it back.

        :raises DiskFull: if there is no room
        :raises JournalCorrupt: if it does not read as it was written
        """
        plain = b"".join(_LENGTH.pack(len(event)) + event for event in events)
        if len(events) != SEGMENT or len(plain) > _MOST:
            raise JournalCorrupt(f"a segment of {len(events)} events and {len(plain)} bytes is none")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise translate_os_error(error, "making the archive") from error
        write_atomically(self.path(number), _HEADER + zlib.compress(plain, 6))
        if self.read(number) != list(events):
            raise JournalCorrupt(f"{self.path(number).name} does not read as it was written", remedy="check the disk")

    def read(self, number: int) -> list[bytes]:
        """Every event of a segment.

        :raises JournalCorrupt: if the file is missing, damaged or too large
        """
        path = self.path(number)
        try:
            with path.open("rb") as file:
                data = file.read(_MOST + 1)
        except OSError as error:
            raise JournalCorrupt(f"the archived events in {path.name} cannot be read: {error.strerror}") from error
        unpacking = zlib.decompressobj()
        try:
            if not data.startswith(_HEADER) or len(data) > _MOST:
                raise zlib.error("not such a file")  # noqa: TRY301 - told below like the damage that zlib sees
            plain = unpacking.decompress(data[len(_HEADER) :], _MOST)
        except zlib.error as error:
            raise JournalCorrupt(f"{path.name} holds no archived events: {error}") from error
        events = _split(plain)
        if not unpacking.eof or unpacking.unused_data or len(events) != SEGMENT:
            raise JournalCorrupt(f"{path.name} was cut off or is too large")
        return events

    def size(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self._folder.glob("*.events"))


def _split(plain: bytes) -> list[bytes]:
    events: list[bytes] = []
    at = 0
    while at + _LENGTH.size <= len(plain) and len(events) <= SEGMENT:
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size
        events.append(plain[at : at + length])
        at += length
    return events if at == len(plain) else []
