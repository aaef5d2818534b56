"""Checkpoints: a log's signed word on how long it is and what is in it. Writes and reads them; knows no keys.

Source: C2SP signed-note and tlog-checkpoint (https://c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

import msgspec

from remit.errors.signatures import CheckpointMalformed

__all__ = ["Checkpoint", "Note", "key_id", "read_note", "write_note"]

_HINT = 4
"""Bytes of a key's id that stand before a signature."""
_ED25519 = b"\x01"
_LONGEST = 64 << 10
_SIGNATURE = re.compile("\u2014 (\\S+) (\\S+)\n")


class Checkpoint(msgspec.Struct, frozen=True):
    """A state of a log, of which there must be only one for each size."""

    origin: str
    """The log's name, which its signature covers."""
    size: int
    root: str
    """Hexadecimal."""


class Note(msgspec.Struct, frozen=True):
    """A checkpoint as it was signed, not verified."""

    text: bytes
    """What the signatures are over."""
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]
    """Name, hint of the key, signature."""


def key_id(origin: str, raw_ed25519: bytes) -> bytes:
    """The id of a log's Ed25519 key, whole; the hint is its first four bytes."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + raw_ed25519).digest()


def write_note(origin: str, size: int, root: bytes, identifier: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A signed checkpoint."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = base64.b64encode(identifier[:_HINT] + sign(text.encode())).decode()
    return f"{text}\n\u2014 {origin} {signature}\n"


def read_note(envelope: str) -> Note:
    """A checkpoint from outside.

    :raises CheckpointMalformed: if it is not one
    """
    text, separator, signatures = envelope.partition("\n\n")
    lines = text.split("\n")
    if len(envelope) > _LONGEST or not separator or len(lines) < 3 or not lines[0] or not signatures.endswith("\n"):  # noqa: PLR2004 - origin, size, root
        raise CheckpointMalformed("the checkpoint is no signed note")
    try:
        size, root = int(lines[1]), base64.b64decode(lines[2], validate=True)
        signed = [(name, base64.b64decode(data, validate=True)) for name, data in _SIGNATURE.findall(signatures)]
    except (ValueError, binascii.Error) as error:
        raise CheckpointMalformed("the checkpoint's size, root or signature cannot be read") from error
    if not signed or any(len(data) <= _HINT for _, data in signed) or size < 0:
        raise CheckpointMalformed("the checkpoint has no signature")
    found = tuple((name, data[:_HINT], data[_HINT:]) for name, data in signed)
    return Note(f"{text}\n".encode(), lines[0], size, root, found)
