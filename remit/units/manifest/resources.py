"""Whether a capability's resource is well formed for its action. What it then covers is for policy to say.

Resources are written canonically, so that what a person reads is what is compared: lower-case hosts, no dot segments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from remit.journal.event import KERNEL_TOPICS

__all__ = ["ACTIONS", "resource_fault"]

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(
    rf"https?://(?P<host>{_LABEL}(\.{_LABEL})*|\[(?P<v6>[0-9a-f:.]+)\])(:(?P<port>[1-9][0-9]{{0,4}}))?"
)
_TOPIC = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_ACTION = re.compile(rf"{_LABEL}/{_LABEL}(:{_LABEL})?")
_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_MAX_TOPIC = 200
_MAX_PORT = 65535
_MAX_HOST = 253


def _origin(resource: str) -> str:
    match = _ORIGIN.fullmatch(resource)
    if match is None or len(match["host"]) > _MAX_HOST or int(match["port"] or 1) > _MAX_PORT:
        return "must be an origin like 'https://api.example.com' (lower case, no path, no wildcard)"
    # Resolvers read 127.1 and 0x7f.1 as addresses, so a name that ends like a number must be a whole address.
    numeric = re.fullmatch(r"[0-9]+|0x[0-9a-f]*", match["host"].rpartition(".")[2])
    try:
        if match["v6"] is not None:
            IPv6Address(match["v6"])
        elif numeric:
            IPv4Address(match["host"])
    except AddressValueError:
        return "must be an origin with a valid address: four decimal numbers, or IPv6 in brackets"
    return ""


def _path(resource: str) -> str:
    segments = resource.split("/")[1:]
    canonical = resource == "/" or all(segment not in ("", ".", "..") for segment in segments)
    if not resource.startswith("/") or not canonical or not resource.isprintable():
        return "must be an absolute path without '.', '..' or doubled slashes, like '/srv/texts'"
    return ""


def _topic(resource: str) -> str:
    if len(resource) > _MAX_TOPIC or not _TOPIC.fullmatch(resource):
        return "must be a topic like 'ticket.created', or its first words"
    return ""


def _emitted(resource: str) -> str:
    if resource.partition(".")[0] in KERNEL_TOPICS:
        return f"topics of {resource.partition('.')[0]!r} are the kernel's: no unit may emit them"
    return _topic(resource)


def _action(resource: str) -> str:
    return "" if _ACTION.fullmatch(resource) else "must be an action like 'acme/redact:redact', or a unit's id"


def _secret(resource: str) -> str:
    return "" if _SECRET.fullmatch(resource) else "must be a secret's name like 'api-token'"


ACTIONS: Mapping[str, Callable[[str], str]] = {
    "action:call": _action,
    "events:emit": _emitted,
    "events:subscribe": _topic,
    "fs:read": _path,
    "fs:write": _path,
    "net:http": _origin,
    "secret:read": _secret,
}
"""The capability actions that exist, each with the grammar of its resources."""


def resource_fault(action: str, resource: str) -> str:
    """What is wrong with a resource of a known action, or ""."""
    return ACTIONS[action](resource)
