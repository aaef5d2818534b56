"""Units as bytes: the bundle and its digest, the ``.unit`` file, and the sources that bundles come from.

Verification is pure (bytes in, object or error out); only the sources read files, and nothing is extracted to disk.
"""

from __future__ import annotations

from remit.registry.bundle import pack, verify
from remit.registry.sources import FolderSource, UnitFileSource
from remit.registry.unitfile import decode, encode

__all__ = ["FolderSource", "UnitFileSource", "decode", "encode", "pack", "verify"]
