"""The resource grammar of each capability action: text in, one canonical resource with its ancestors out.

One table, :data:`GRAMMARS`, serves the manifest check, the grants and the Cedar entities, so that they cannot disagree.
Whether one resource covers another follows from ancestors alone, never from string patterns: ``/database`` is not below
``/data`` and ``example.com.evil.net`` is not below ``example.com``.

Pure: no files are looked at. Symbolic links are for the host interface to resolve *before* it asks, and addresses
behind a name are for the network adapter to check per connection.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from remit.errors import ResourceInvalid
from remit.journal.event import KERNEL_TOPICS

__all__ = ["GRAMMARS", "MAX_RESOURCE", "Resource", "Uid", "covers", "parse_resource"]

MAX_RESOURCE = 2_048
"""Characters of a resource; beyond it is refused before anything looks inside."""

_REMEMBERED = 256
"""Resources kept parsed: a use asks for the same one twice. At their largest they take some 30 MiB."""
_MAX_SEGMENTS = 64
_MAX_HOST = 253  # RFC 1035, 2.3.4, as text
_MAX_TOPIC = 200
_MAX_PORT = 65_535
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PORTS = {"http": 80, "https": 443}

_WORD = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ORIGIN = re.compile(r"([A-Za-z]+)://(\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?::([0-9]{1,5}))?/?")
_TOPIC = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")
_ACTION = re.compile(rf"({_WORD}/{_WORD})(?::({_WORD}))?")
_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_CREDENTIALS = frozenset(
    {".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".pgpass", ".git-credentials"}
)


class Uid(NamedTuple):
    """A Cedar entity: a type of namespace ``Remit``, and an id."""

    type: str
    id: str


class Resource(msgspec.Struct, frozen=True):
    """A parsed resource: its canonical text, its Cedar entity, and every entity above it."""

    text: str
    uid: Uid
    parents: Mapping[Uid, tuple[Uid, ...]]
    """The direct parents of the entity and of each of its ancestors."""
    attributes: Mapping[str, str | int] = MappingProxyType({})


def _refuse(action: str, text: str, why: str, remedy: str) -> ResourceInvalid:
    shown = ascii(text[:80])
    return ResourceInvalid(f"{shown} is not a resource of {action}: {why}", remedy=remedy, action=action)


def _chain(kind: str, ids: list[str]) -> dict[Uid, tuple[Uid, ...]]:
    """Parents of a line of entities, the most specific first."""
    uids = [Uid(kind, one) for one in ids]
    above = [*((uid,) for uid in uids[1:]), ()]
    return dict(zip(uids, above, strict=True))


# ---- net:http: origins (RFC 6454), `https://host[:port]` ----


def _origin(action: str, text: str) -> Resource:
    remedy = "write an origin like 'https://api.example.com' or 'https://api.example.com:8443'"
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise _refuse(action, text, "it is not scheme, host and port alone", remedy)
    scheme = match[1].lower()
    if scheme not in _PORTS:
        raise _refuse(action, text, "the scheme is neither https nor http", remedy)
    port = int(match[3]) if match[3] else _PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise _refuse(action, text, "there is no such port", remedy)
    host, domains = _host(action, text, match[2].lower())
    suffix = "" if port == _PORTS[scheme] else f":{port}"
    uid = Uid("Origin", f"{scheme}://{host}{suffix}")
    parents = _chain("Domain", domains)
    parents[uid] = (Uid("Domain", domains[0]),)
    return Resource(uid.id, uid, parents, {"scheme": scheme, "host": host, "port": port})


def _host(action: str, text: str, host: str) -> tuple[str, list[str]]:
    """The canonical host, and its domains from the most specific to the top."""
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError as error:
            raise _refuse(action, text, "the address is malformed", "write it as in RFC 5952") from error
        return host, [host]
    if not host.isascii():
        raise _refuse(action, text, "the host is not ASCII", "write the name in its 'xn--' form (RFC 5891)")
    labels = host.split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refuse(action, text, "the host is not a name (RFC 1123); a trailing dot is none", "write the plain name")
    # Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses; only the one strict form is taken for one here.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise _refuse(action, text, "the address is malformed", "write four decimal numbers") from error
        return host, [host]
    return host, [".".join(labels[start:]) for start in range(len(labels))]


# ---- fs:read, fs:write: absolute paths ----


def _path(action: str, text: str) -> Resource:
    remedy = "write an absolute path without '.', '..' and '//', like '/data/in'"
    if not text.startswith("/"):
        raise _refuse(action, text, "it is not absolute", remedy)
    plain = text.isascii() and text.isprintable()  # as nearly every path, and then there is nothing to look up
    if "\\" in text or not (plain or all(unicodedata.category(char) not in _UNSEEN for char in text)):
        raise _refuse(action, text, "it holds control or invisible characters or a backslash", remedy)
    if not plain and unicodedata.normalize("NFC", text) != text:
        raise _refuse(action, text, "its characters are not in normal form NFC", "write it in NFC")
    body = text[1:].removesuffix("/")
    segments = body.split("/") if body else []
    if "//" in text or len(segments) > _MAX_SEGMENTS or any(segment in {"", ".", ".."} for segment in segments):
        raise _refuse(action, text, "it has empty, '.' or '..' parts, or too many", remedy)
    ids = ["/" + "/".join(segments[:end]) for end in range(len(segments), -1, -1)]
    parents = _chain("Path", ids)
    uid = Uid("Path", ids[0])
    classes = []
    if _CREDENTIALS & {segment.casefold() for segment in segments}:
        classes.append(Uid("PathClass", "credentials"))
    if ".remit" in segments:
        classes.append(Uid("PathClass", "kernel"))
    for one in classes:
        parents[one] = ()
    parents[uid] = (*parents[uid], *classes)
    return Resource(uid.id, uid, parents)


# ---- events:emit, events:subscribe: dotted topics ----


def _topic(action: str, text: str) -> Resource:
    if len(text) > _MAX_TOPIC or not _TOPIC.fullmatch(text):
        raise _refuse(
            action, text, "it is not dot.case", "write lower-case words joined by dots, like 'ticket.created'"
        )
    words = text.split(".")
    ids = [".".join(words[:end]) for end in range(len(words), 0, -1)]
    parents = _chain("Topic", ids)
    if words[0] in KERNEL_TOPICS:
        kernel = Uid("TopicClass", "kernel")
        parents[Uid("Topic", words[0])] = (kernel,)
        parents[kernel] = ()
    return Resource(text, Uid("Topic", text), parents)


# ---- action:call: a unit, or one of its actions ----


def _action(action: str, text: str) -> Resource:
    match = _ACTION.fullmatch(text)
    if match is None:
        raise _refuse(
            action, text, "it names neither a unit nor an action", "write 'publisher/name' or 'publisher/name:action'"
        )
    unit = Uid("Unit", match[1])
    publisher = Uid("Publisher", match[1].partition("/")[0])
    parents: dict[Uid, tuple[Uid, ...]] = {unit: (publisher,), publisher: ()}
    if match[2] is None:
        return Resource(text, unit, parents)
    uid = Uid("UnitAction", text)
    return Resource(text, uid, {uid: (unit,), **parents})


# ---- secret:read: names ----


def _secret(action: str, text: str) -> Resource:
    if not _SECRET.fullmatch(text):
        raise _refuse(action, text, "it is not a name", "use letters, digits, '_', '.' and '-', at most 128")
    uid = Uid("Secret", text)
    return Resource(text, uid, {uid: ()})


GRAMMARS: Mapping[str, Callable[[str, str], Resource]] = MappingProxyType({
    "action:call": _action,
    "events:emit": _topic,
    "events:subscribe": _topic,
    "fs:read": _path,
    "fs:write": _path,
    "net:http": _origin,
    "secret:read": _secret,
})  # fmt: skip
"""Every capability action with the parser of its resources."""


@lru_cache(_REMEMBERED)
def parse_resource(action: str, text: str) -> Resource:
    """The canonical resource behind what a manifest declares or a unit uses.

    :raises ResourceInvalid: if the action does not exist, or the text is not one of its resources
    """
    grammar = GRAMMARS.get(action)
    if grammar is None:
        raise ResourceInvalid(
            f"{action[:40]!a} is not a capability", remedy=f"use one of {', '.join(GRAMMARS)}", action=action[:40]
        )
    if len(text) > MAX_RESOURCE:
        raise _refuse(action, text, f"it is longer than {MAX_RESOURCE} characters", "name something shorter")
    return grammar(action, text)


def covers(declared: Resource, concrete: Resource) -> bool:
    """Whether a grant on ``declared`` reaches ``concrete``: they are the same, or the first is above the second."""
    return declared.uid in concrete.parents
