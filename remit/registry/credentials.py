"""Who the operator is to a registry: the credentials that ``docker login`` and its kin keep, and nothing of our own.

Source: containers-auth.json(5); ``auths`` of Docker's ``config.json``. Credential helpers are programs: not run.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

import msgspec

__all__ = ["Credentials", "credentials_for"]

_LARGEST = 1 << 20


class Credentials(msgspec.Struct, frozen=True):
    """A name with a password, or a bearer token; empty where the operator has none. Never shown."""

    basic: str = ""
    """Base64 of ``name:password``."""
    bearer: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


class _Entry(msgspec.Struct):
    auth: str = ""
    registrytoken: str = ""


class _File(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def credentials_for(host: str) -> Credentials:
    """What the operator keeps for a registry; an unreadable file counts as none: the registry then says so."""
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path("~/.docker").expanduser()) / "config.json"
    try:
        with path.open("rb") as file:
            entry = msgspec.json.decode(file.read(_LARGEST), type=_File).auths.get(host)
        if entry is None:
            return Credentials()
        base64.b64decode(entry.auth, validate=True)
        if not entry.registrytoken.isascii() or not entry.registrytoken.isprintable():
            return Credentials()  # it could not be sent, and what cannot be sent is told in errors
    except (OSError, msgspec.DecodeError, RecursionError, binascii.Error, ValueError):
        return Credentials()
    return Credentials(entry.auth, entry.registrytoken)
