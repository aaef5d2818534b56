"""References to registries: ``oci://HOST[:PORT]/REPOSITORY[:TAG|@VERSION RANGE|@sha256:…]``. Parsing only."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from remit.errors import ReferenceInvalid
from remit.registry.oci import is_digest

__all__ = ["SCHEME", "Reference", "Registry", "check_repository", "is_tag", "parse", "parse_registry"]

SCHEME = "oci://"
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST = 255
_MOST_PORTS = 65_535


class Registry(msgspec.Struct, frozen=True):
    """A registry, and the part of its name space that is meant."""

    host: str
    """Host and port, as in a URL."""
    prefix: str = ""

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, where plain HTTP is no risk."""
        name = self.host.rpartition(":")[0] if re.search(r":[0-9]+$", self.host) else self.host
        if name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def base(self) -> str:
        """Its address: HTTPS, but for this machine's own."""
        return f"{'http' if self.loopback else 'https'}://{self.host}"

    def repository(self, unit: str) -> str:
        """The repository of a unit."""
        return f"{self.prefix}/{unit}" if self.prefix else unit

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}" + (f"/{self.prefix}" if self.prefix else "")


class Reference(msgspec.Struct, frozen=True):
    """One unit in a registry."""

    registry: Registry
    repository: str
    tag: str = ""
    version_range: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tail = f":{self.tag}" if self.tag else ""
        at = self.digest or self.version_range
        return f"{SCHEME}{self.registry.host}/{self.repository}{tail}" + (f"@{at}" if at else "")


def parse(text: str) -> Reference:
    """A reference to one unit.

    :raises ReferenceInvalid: if it is none
    """
    body, marked, at = _body(text).partition("@")
    host, _, path = body.partition("/")
    repository, colon, tag = path.partition(":")
    _check(text, host, repository)
    if colon and not is_tag(tag):
        raise ReferenceInvalid(f"{tag[:80]!r} cannot be a tag")
    if marked and not at:
        raise ReferenceInvalid(f"{text[:200]!r} ends with '@': write a range or a digest behind it")
    if at.partition(":")[0].isalnum() and ":" in at and not is_digest(at):
        raise ReferenceInvalid(f"{at[:80]!r} is not a sha256 digest")
    digest = at if is_digest(at) else ""
    return Reference(Registry(host), repository, tag, "" if digest else at, digest)


def parse_registry(text: str) -> Registry:
    """A registry, with the prefix that its units' repositories have.

    :raises ReferenceInvalid: if it is none
    """
    host, _, prefix = _body(text.rstrip("/")).partition("/")
    _check(text, host, prefix or "units")
    return Registry(host, prefix)


def check_repository(name: str) -> None:
    """Check the name of a repository.

    :raises ReferenceInvalid: if it is none
    """
    if len(name) > _LONGEST or not _REPOSITORY.fullmatch(name):
        raise ReferenceInvalid(f"{name[:200]!r} is no repository: lower case letters, digits and separators")


def is_tag(text: str) -> bool:
    """Whether this can be a tag."""
    return _TAG.fullmatch(text) is not None


def _body(text: str) -> str:
    if not text.startswith(SCHEME):
        raise ReferenceInvalid(f"{text[:200]!r} does not begin with {SCHEME}")
    return text.removeprefix(SCHEME)


def _check(text: str, host: str, repository: str) -> None:
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else "0"
    if not _HOST.fullmatch(host) or int(port) > _MOST_PORTS:
        raise ReferenceInvalid(f"{text[:200]!r} has no usable host")
    check_repository(repository)
