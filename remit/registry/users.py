"""Who may write into a served registry: names, the hashes of their tokens, and the publishers they may publish for.

``users.toml`` holds ``[user.NAME]`` tables with ``token`` (``sha256:…`` of a long random token) and ``publishers``
(``*`` for all). Tokens come as HTTP Basic passwords or as bearer tokens (RFC 7617, RFC 6750).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from pathlib import Path

import msgspec

from remit.errors import ConfigInvalid, ValueInvalid
from remit.registry.oci import is_digest, sha256
from remit.schemas import load_toml

__all__ = ["User", "Users", "load_users"]

_LARGEST = 1 << 20


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One who may write."""

    token: str
    """``sha256:…`` of the token."""
    publishers: tuple[str, ...] = ()

    def may_write(self, repository: str) -> bool:
        """Whether a repository is of a publisher of theirs."""
        return bool({"*", repository.partition("/")[0]} & set(self.publishers))


class Users(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everyone who is known."""

    user: dict[str, User] = {}
    private: bool = False
    """Whether reading needs a name too."""

    def known(self, authorization: str) -> tuple[str, User] | None:
        """Who sent an ``Authorization`` header; ``None`` for nobody who is known."""
        scheme, _, value = authorization.partition(" ")
        name, token = "", value.strip()
        if scheme.lower() == "basic":
            try:
                name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return None
        elif scheme.lower() != "bearer":
            return None
        digest = sha256(token.encode("utf-8", "surrogateescape"))
        # Every user is compared, so that the time says nothing.
        found = [(known, user) for known, user in self.user.items() if hmac.compare_digest(digest, user.token)]
        return next((item for item in found if name in ("", item[0])), None)


def load_users(path: Path) -> Users:
    """The users in a file.

    :raises ConfigInvalid: if it cannot be read, or is malformed
    """
    try:
        users = msgspec.convert(load_toml(path.read_bytes(), limit=_LARGEST), Users)
    except (OSError, ValueInvalid, msgspec.ValidationError) as error:
        raise ConfigInvalid(f"{path}: {error}", remedy="see docs/publishing.md for what stands in it") from error
    for name, user in users.user.items():
        if not is_digest(user.token):
            raise ConfigInvalid(f"{path}: the token of {name} is not written as sha256:…")
    return users
