"""The ``.unit`` file: a bundle as one file, a plain zip archive that any tool can look into.

There is exactly one encoding of a bundle: stored entries in the order of the layers, fixed dates, no extra fields, no
comments. Decoding reads the local headers one after the other and then demands that encoding the result gives the very
same bytes, so nothing can hide between, before or after the entries, and the two directories of a zip cannot disagree.
The first entry is the OCI manifest, which binds every file by its digest; the last ones, if any, are the referrers that
travel with the bundle, each an OCI manifest and its contents. Nothing is written to disk.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from remit.errors import ReplyInvalid
from remit.errors.refusals import (
    UnitFileCut,
    UnitFileEntries,
    UnitFileEntryCut,
    UnitFileMismatch,
    UnitFileNameTwice,
    UnitFileReferrer,
    UnitFileReferrers,
    UnitFileRewritten,
    UnitFileTooLarge,
    UnitFileUnnamed,
)
from remit.kernel.model import Referrer
from remit.registry.bundle import MAX_FILE, MAX_FILES, MAX_TOTAL, pack
from remit.registry.oci import MAX_MANIFEST, MAX_REFERRER, MAX_REFERRERS, read_manifest, referrer_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from remit.kernel.model import Bundle

__all__ = ["MAX_UNIT_FILE", "decode", "encode"]

MAX_UNIT_FILE = MAX_TOTAL + MAX_REFERRERS * MAX_REFERRER + (1 << 20)
"""Bytes of a ``.unit`` file: the largest bundle with the most beside it, and room for headers."""

# No file of a bundle may begin with a dot, so this name is free.
_MANIFEST_ENTRY = ".oci-manifest.json"
_REFERRERS = ".referrers/"
_MOST_ENTRIES = MAX_FILES + 1 + 2 * MAX_REFERRERS
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_END_SIGNATURE = b"PK\x05\x06"
_VERSION = 20
_MADE_BY_UNIX = 3 << 8 | _VERSION
_DATE = 1 << 5 | 1  # 1 January 1980, where DOS begins
_MODE = 0o100644 << 16


def encode(bundle: Bundle) -> bytes:
    """The ``.unit`` file of a bundle."""
    entries = [(_MANIFEST_ENTRY, bundle.oci_manifest), *bundle.files.items()]
    for index, referrer in enumerate(bundle.referrers):
        entries.append((f"{_REFERRERS}{index}.json", referrer_manifest(bundle.oci_manifest, referrer)))
        entries.append((f"{_REFERRERS}{index}", referrer.data))
    return _archive(entries)


def decode(data: bytes, *, origin: str = "") -> Bundle:
    """The bundle in a ``.unit`` file.

    :raises BundleInvalid: if the bytes are not exactly what :func:`encode` would write for it
    """
    if len(data) > MAX_UNIT_FILE:
        raise UnitFileTooLarge(f"the file has {len(data)} bytes; {MAX_UNIT_FILE} are allowed")
    entries = _entries(data)
    manifest = entries.pop(_MANIFEST_ENTRY, None)
    if manifest is None:
        raise UnitFileUnnamed("the file is not a .unit file: its manifest is missing")
    bundle = pack(_without_referrers(entries), origin=origin, referrers=_referrers(entries))
    if bundle.oci_manifest != manifest:
        raise UnitFileMismatch("the file's contents are not what its manifest says")
    if encode(bundle) != data:
        raise UnitFileRewritten("the file is not written as a .unit file is")
    return bundle


def _without_referrers(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in entries.items() if not name.startswith(_REFERRERS)}


def _referrers(entries: Mapping[str, bytes]) -> list[Referrer]:
    """What travels beside the bundle; whether it is written as it must be is left to the comparison."""
    found: list[Referrer] = []
    while (manifest := entries.get(f"{_REFERRERS}{len(found)}.json")) is not None:
        data = entries.get(f"{_REFERRERS}{len(found)}", b"")
        if len(found) >= MAX_REFERRERS or len(data) > MAX_REFERRER or len(manifest) > MAX_MANIFEST:
            raise UnitFileReferrers("more travels beside the bundle than may")
        try:
            found.append(Referrer(read_manifest(manifest).artifact_type, data))
        except ReplyInvalid as error:
            raise UnitFileReferrer(f"what travels beside the bundle is malformed: {error.message}") from error
    return found


def _archive(entries: Iterable[tuple[str, bytes]]) -> bytes:
    body: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name, content in entries:
        encoded = name.encode("ascii")
        common = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(encoded), 0)
        local = _LOCAL.pack(_LOCAL_SIGNATURE, *common) + encoded
        tail = (0, 0, 0, _MODE, offset)
        directory.append(_CENTRAL.pack(_CENTRAL_SIGNATURE, _MADE_BY_UNIX, *common, *tail) + encoded)
        body += [local, content]
        offset += len(local) + len(content)
    size = sum(map(len, directory))
    end = _END.pack(_END_SIGNATURE, 0, 0, len(directory), len(directory), size, offset, 0)
    return b"".join([*body, *directory, end])


def _entries(data: bytes) -> dict[str, bytes]:
    """Names and contents from the local headers, within bounds; everything else is left to the comparison."""
    found: dict[str, bytes] = {}
    offset = 0
    while data[offset : offset + 4] == _LOCAL_SIGNATURE:
        if len(found) >= _MOST_ENTRIES:
            raise UnitFileEntries(f"the file has more than {_MOST_ENTRIES} entries")
        if offset + _LOCAL.size > len(data):
            raise UnitFileCut("the file is cut off")
        fields = _LOCAL.unpack_from(data, offset)
        size, name_length = fields[7], fields[9]
        start = offset + _LOCAL.size + name_length
        end = start + size
        if size > MAX_FILE or end > len(data):
            raise UnitFileEntryCut("the file is cut off, or an entry is too large")
        name = data[offset + _LOCAL.size : start].decode("latin-1")  # any byte decodes; names are checked by pack
        if name in found:
            raise UnitFileNameTwice(f"the file holds {name[:80]!r} twice")
        found[name] = data[start:end]
        offset = end
    return found
