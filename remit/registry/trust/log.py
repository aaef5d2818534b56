"""The transparency log of a trust domain: an append-only file, and a checkpoint for each state that it shows.

An entry is on disk, whole, before anything is said about it. A tail that a crash cut off was never promised, and goes;
a log that lost what its last checkpoint promised is refused.

Source: Rekor's v2 API and entries (https://github.com/sigstore/rekor-tiles).
"""

from __future__ import annotations

import base64
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.errors import LogDamaged
from remit.errors.signatures import CheckpointMalformed
from remit.journal.files import translate_os_error, write_atomically
from remit.registry.trust.merkle import Tree, leaf_hash
from remit.registry.trust.note import key_id, read_note, write_note

__all__ = ["TransparencyLog", "signature_entry"]

_ENTRIES = "entries.jsonl"
_CHECKPOINT = "checkpoint"


def signature_entry(digest: str, signature: str, certificate: str, details: str) -> dict[str, Any]:
    """The entry of a signature under a certificate: Rekor's ``hashedrekord`` 0.0.2. Bytes are Base64.

    :param digest: SHA-256 of what was signed
    :param details: the kind of the key, as Sigstore names it
    """
    verifier = {"keyDetails": details, "x509Certificate": {"rawBytes": certificate}}
    signed = {"content": signature, "verifier": verifier}
    inner = {"data": {"algorithm": "SHA2_256", "digest": digest}, "signature": signed}
    return {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": inner}}


class TransparencyLog:
    """One log in a folder. Safe for threads, and for processes that share the folder."""

    def __init__(self, folder: Path, origin: str, key: ed25519.Ed25519PrivateKey) -> None:
        """Open a log.

        :param origin: the log's name
        :raises LogDamaged: if it lost entries that it promised
        """
        self.origin = origin
        self._folder = folder
        self._key = key
        self.id = key_id(origin, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self._tree = Tree()
        self._read = 0
        """Bytes of the file that are in the tree."""
        self._changing = threading.Lock()
        with self._held():
            pass

    def __len__(self) -> int:
        return len(self._tree)

    @property
    def checkpoint(self) -> str:
        """The signed word on the state that was shown last."""
        with self._held():
            return self._checkpoint()

    def append(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take an entry in, and give it with its proof, as Rekor does (``TransparencyLogEntry`` of JSON).

        :raises DiskFull: if there is no room; nothing is promised then
        """
        line = rfc8785.dumps(body)
        with self._held() as descriptor:
            try:
                _write(descriptor, line + b"\n")
            except OSError as error:
                os.ftruncate(descriptor, self._read)
                raise translate_os_error(error, "appending to the log") from error
            self._take(line)
            # Written before it is shown: whoever restores an older file is found out.
            write_atomically(self._folder / _CHECKPOINT, self._checkpoint().encode(), mode=0o644)
            index, size = len(self._tree) - 1, len(self._tree)
            proof = self._tree.inclusion(index)
            return {
                "logIndex": str(index),
                "logId": {"keyId": _b64(self.id)},
                "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
                "inclusionProof": {
                    "logIndex": str(index),
                    "rootHash": _b64(self._tree.root()),
                    "treeSize": str(size),
                    "hashes": [_b64(sibling) for sibling in proof],
                    "checkpoint": {"envelope": self._checkpoint()},
                },
                "canonicalizedBody": _b64(line),
            }

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of ``new`` entries begins with the one of ``old``.

        :raises LogDamaged: if it never was that long
        """
        with self._held():
            if not 0 <= old <= new <= len(self._tree):
                raise LogDamaged(f"the log has {len(self._tree)} entries, not {new}")
            return self._tree.consistency(old, new)

    def root(self, size: int) -> bytes:
        """The root when it had so many entries."""
        with self._held():
            return self._tree.root(size)

    def _checkpoint(self) -> str:
        return write_note(self.origin, len(self._tree), self._tree.root(), self.id, self._key.sign)

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, open and locked, with everything in the tree that stands in it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / _ENTRIES, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise translate_os_error(error, "opening the log") from error
        try:
            with self._changing:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._catch_up(descriptor)
                yield descriptor
        finally:
            os.close(descriptor)

    def _catch_up(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if size < self._read:
            raise LogDamaged("the log became shorter while it was in use")
        if size == self._read and self._read:
            return
        data = os.pread(descriptor, size - self._read, self._read)
        whole, newline, rest = data.rpartition(b"\n")
        for line in whole.split(b"\n") if newline else ():
            self._take(line)
        if rest:  # cut off by a crash, and never promised
            os.ftruncate(descriptor, self._read)
            os.fsync(descriptor)
        self._check_promise()

    def _check_promise(self) -> None:
        path = self._folder / _CHECKPOINT
        try:
            note = read_note(path.read_text("utf-8"))
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError, CheckpointMalformed) as error:
            raise LogDamaged(f"the log's checkpoint cannot be read: {error}") from error
        if note.size > len(self._tree) or self._tree.root(note.size) != note.root:
            raise LogDamaged(f"the log does not hold the {note.size} entries that it promised")

    def _take(self, line: bytes) -> None:
        self._tree.append(leaf_hash(line))
        self._read += len(line) + 1


def _write(descriptor: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done:])
    os.fsync(descriptor)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
