"""The ``.unit`` file: a bundle as one file, a plain zip archive that any tool can look into.

There is exactly one encoding of a bundle: stored entries in the order of the layers, fixed dates, no extra fields, no
comments. Decoding reads the local headers one after the other and then demands that encoding the result gives the very
same bytes, so nothing can hide between, before or after the entries, and the two directories of a zip cannot disagree.
The first entry is the OCI manifest, which binds every file by its digest. Nothing is written to disk.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from remit.errors import BundleInvalid
from remit.registry.bundle import MAX_FILE, MAX_FILES, MAX_TOTAL, pack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remit.kernel.model import Bundle

__all__ = ["MAX_UNIT_FILE", "decode", "encode"]

MAX_UNIT_FILE = MAX_TOTAL + (1 << 20)
"""Bytes of a ``.unit`` file: the largest bundle, and room for headers."""

# No file of a bundle may begin with a dot, so this name is free.
_MANIFEST_ENTRY = ".oci-manifest.json"
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
    return _archive([(_MANIFEST_ENTRY, bundle.oci_manifest), *bundle.files.items()])


def decode(data: bytes, *, origin: str = "") -> Bundle:
    """The bundle in a ``.unit`` file, admitted as ``local``.

    :raises BundleInvalid: if the bytes are not exactly what :func:`encode` would write for it
    """
    if len(data) > MAX_UNIT_FILE:
        raise BundleInvalid(f"the file has {len(data)} bytes; {MAX_UNIT_FILE} are allowed")
    entries = _entries(data)
    manifest = entries.pop(_MANIFEST_ENTRY, None)
    if manifest is None:
        raise BundleInvalid("the file is not a .unit file: its manifest is missing")
    bundle = pack(entries, origin=origin)
    if bundle.oci_manifest != manifest:
        raise BundleInvalid("the file's contents are not what its manifest says")
    if encode(bundle) != data:
        raise BundleInvalid("the file is not written as a .unit file is")
    return bundle


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
        if len(found) > MAX_FILES:
            raise BundleInvalid(f"the file has more than {MAX_FILES} entries")
        if offset + _LOCAL.size > len(data):
            raise BundleInvalid("the file is cut off")
        fields = _LOCAL.unpack_from(data, offset)
        size, name_length = fields[7], fields[9]
        start = offset + _LOCAL.size + name_length
        end = start + size
        if size > MAX_FILE or end > len(data):
            raise BundleInvalid("the file is cut off, or an entry is too large")
        name = data[offset + _LOCAL.size : start].decode("latin-1")  # any byte decodes; names are checked by pack
        if name in found:
            raise BundleInvalid(f"the file holds {name[:80]!r} twice")
        found[name] = data[start:end]
        offset = end
    return found
