"""Units as bytes: the bundle and its digest, the ``.unit`` file, registries, and the sources that bundles come from.

Verification is pure (bytes in, object or error out); only sources, stores and clients do I/O, and nothing is extracted
to disk. The client and the server are modules of their own, because they load HTTP.
"""

from __future__ import annotations

from remit.registry.bundle import pack, verify
from remit.registry.reference import Reference, Registry, parse, parse_registry
from remit.registry.sources import FolderSource, RegistrySource, UnitFileSource
from remit.registry.store import Store
from remit.registry.unitfile import decode, encode

__all__ = [
    "FolderSource",
    "Reference",
    "Registry",
    "RegistrySource",
    "Store",
    "UnitFileSource",
    "decode",
    "encode",
    "pack",
    "parse",
    "parse_registry",
    "verify",
]
