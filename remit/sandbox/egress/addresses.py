"""Which addresses are not of the open internet, and in which way. Pure; the classes are the Cedar schema's own.

An IPv6 address that carries an IPv4 one is judged by what it carries: a translator or tunnel on the way would deliver
it there. Source: IANA special-purpose address registries (RFC 6890), RFC 6052, RFC 3056, RFC 4380.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["special_class"]

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # Amazon ECS
        "169.254.170.23",  # Amazon EKS
        "fd00:ec2::254",  # Amazon, IPv6
        "fd00:ec2::23",
        "fd20:ce::254",  # Google, IPv6
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure; a public address on paper
        "192.0.0.192",  # Oracle
    )
)
_SHARED: Final = ip_network("100.64.0.0/10")  # RFC 6598
_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
_LAST_32: Final = (1 << 32) - 1


def special_class(address: str) -> str:
    """The class of a special address, or "" for one of the open internet.

    :param address: IPv4 or IPv6 as text, without brackets
    :raises ValueError: if it is not an address
    """
    parsed = ip_address(address.partition("%")[0])
    if parsed in _METADATA:
        return "metadata"
    if isinstance(parsed, IPv6Address):
        if parsed == IPv6Address("::1"):
            return "loopback"
        if parsed == IPv6Address("::"):
            return "unspecified"
        carried = _carried(parsed)
        if carried is not None:
            # Even where the carried address is an ordinary one, whoever writes it this way hides something.
            return special_class(str(carried)) or "translated"
    return _plain_class(parsed)


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & _LAST_32)
    return None


def _plain_class(address: IPv4Address | IPv6Address) -> str:
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if isinstance(address, IPv4Address) and address in _SHARED:
        return "shared"
    if address.is_reserved or (isinstance(address, IPv6Address) and address.is_site_local):
        return "reserved"
    if address.is_private:
        return "private"
    return "" if address.is_global else "reserved"
