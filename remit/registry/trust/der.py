"""The little DER that timestamps and certificate extensions are written and read with.

No library of ours makes CMS: cryptography signs PKCS #7 without signing-certificate attributes. Source: X.690.
"""

from __future__ import annotations

from datetime import datetime

__all__ = [
    "BIT_FALSE",
    "NULL",
    "generalized_time",
    "integer",
    "items",
    "object_id",
    "octets",
    "sequence",
    "set_of",
    "tagged",
    "utc_time",
    "utf8",
]

NULL = b"\x05\x00"
BIT_FALSE = b"\x00"
"""The value of the boolean FALSE."""
_LONG = 0x80


def tagged(tag: int, *contents: bytes) -> bytes:
    """A value under a tag."""
    body = b"".join(contents)
    if len(body) < _LONG:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG | len(length)]) + length + body


def sequence(*contents: bytes) -> bytes:
    """SEQUENCE."""
    return tagged(0x30, *contents)


def set_of(*contents: bytes) -> bytes:
    """SET OF, in its one order."""
    return tagged(0x31, *sorted(contents))


def integer(number: int) -> bytes:
    """INTEGER."""
    return tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def octets(data: bytes) -> bytes:
    """OCTET STRING."""
    return tagged(0x04, data)


def utf8(text: str) -> bytes:
    """UTF8String."""
    return tagged(0x0C, text.encode())


def object_id(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytes([first * 40 + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(_LONG | part & 0x7F)
        body += bytes(reversed(groups))
    return tagged(0x06, body)


def generalized_time(time: datetime) -> bytes:
    """GeneralizedTime, to the second, in UTC."""
    return tagged(0x18, time.strftime("%Y%m%d%H%M%SZ").encode())


def utc_time(time: datetime) -> bytes:
    """UTCTime, in UTC."""
    return tagged(0x17, time.strftime("%y%m%d%H%M%SZ").encode())


def items(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """The values that stand one after another: tag, contents, and all of it.

    :raises ValueError: if the bytes are not DER
    """
    found = []
    at = 0
    while at < len(data):
        start = at
        if at + 2 > len(data):
            raise ValueError("a value is cut off")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & _LONG:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if not 0 < at + length <= len(data):
            raise ValueError("a value is longer than what holds it")
        found.append((tag, data[at : at + length], data[start : at + length]))
        at += length
    return found
