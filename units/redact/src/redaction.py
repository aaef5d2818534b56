"""Finds and masks personal data in text: pure functions, the same natively and in the sandbox.

Time is linear in the text: every repetition in a pattern is bounded, possessive, or begins where it cannot be the
inside of a longer match. A match never touches a letter or digit outside itself; a mask never looks like part of one.
It does not know names or addresses: what has no shape is not found.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("email", "ip", "card", "phone")
"""What can be masked, in the order in which it is looked for: a card number is not a telephone number."""

MASK = re.compile(r"[█▒•]{1,8}|\[[A-Za-z ]{1,24}\]|<[A-Za-z ]{1,24}>")
"""Masks that cannot become part of a match, so that masking twice changes nothing."""

Span = tuple[int, int]

_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]++")  # RFC 5322 atext, the dot, and letters beyond ASCII (RFC 6531)
_DOMAIN = re.compile(r"[\w-]++(?:\.[\w-]++)++")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IP = re.compile(
    rf"(?<![\w:])(?:[0-9A-Fa-f]{{0,4}}:){{2,6}}{_IPV4}(?!\w)"  # ::ffff:192.0.2.1
    r"|(?<![\w:])(?=[0-9A-Fa-f]*+:)[0-9A-Fa-f:]++(?!\w)"  # a run that the ipaddress module judges
    rf"|(?<!\w){_IPV4}(?!\w)"
)
_DIGITS = re.compile(r"(?<!\w)\d++(?:[ -]\d++)*+(?!\w)")
_PHONE = re.compile(
    r"\+[1-9]\d?(?: ?\(0\) ?)?(?:[ ./-]?\d){5,13}(?!\w)"  # international (E.164: 15 digits at most): +49 30 1234567
    r"|(?:\(\d{3}\) ?|(?<!\w)\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)"  # North American: (555) 123-4567
    r"|(?<!\w)0\d{1,4}[ /-]\d{3,8}(?:[ -]\d{2,4}(?!\.\d)){0,2}(?!\w)"  # with a trunk zero: 030 1234567
)
_CARD_DIGITS = range(13, 20)
_ROUNDS = 8


def redact(text: str, kinds: tuple[str, ...] = KINDS, mask: str = "█") -> tuple[str, dict[str, int]]:
    """The text with every match of the kinds replaced by the mask, and how many of each kind there were.

    Masking one thing can bare another (a number that something was glued to), so it repeats until nothing is found.
    """
    counts = dict.fromkeys(kinds, 0)
    for _ in range(_ROUNDS):
        before = sum(counts.values())
        for kind in KINDS:
            if kind in counts:
                text, found = _replace(text, _FINDERS[kind](text), mask)
                counts[kind] += found
        if sum(counts.values()) == before:
            break
    return text, counts


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of its two digits
    return total % 10 == 0


def _replace(text: str, spans: Iterator[Span], mask: str) -> tuple[str, int]:
    parts: list[str] = []
    end = found = 0
    for start, stop in spans:
        parts += (text[end:start], mask)
        end = stop
        found += 1
    return ("".join((*parts, text[end:])), found) if found else (text, 0)


def _emails(text: str) -> Iterator[Span]:
    # From each "@" outwards: searching for the part before it would read long words again and again.
    floor = 0
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.match(text[floor:at][::-1])
        domain = _DOMAIN.match(text, at + 1)
        size = _host_size(domain.group()) if local and domain else 0
        floor = at + 1 + size
        if local and size:
            yield at - local.end(), floor
        at = text.find("@", floor)


def _host_size(domain: str) -> int:
    """Length of the part up to the last label that begins with a letter; 0 for ``1.2.3``, which is a version."""
    labels = domain.split(".")
    while len(labels) > 1 and not labels[-1][0].isalpha():
        labels.pop()
    return len(".".join(labels)) if len(labels) > 1 else 0


def _ips(text: str) -> Iterator[Span]:
    for match in _IP.finditer(text):
        candidate = match.group()
        if ":" not in candidate:
            yield match.span()
            continue
        # "fe80::1: unreachable": one colon at the end may belong to the sentence
        for cut in (0, 1) if candidate.endswith(":") else (0,):
            if _is_ipv6(candidate[: len(candidate) - cut]):
                yield match.start(), match.end() - cut
                break


def _is_ipv6(candidate: str) -> bool:
    if not 3 <= len(candidate) <= 45:  # noqa: PLR2004 - "::1" and the longest form with an IPv4 tail
        return False
    try:
        IPv6Address(candidate)
    except ValueError:
        return False
    return True


def _cards(text: str) -> Iterator[Span]:
    for run in _DIGITS.finditer(text):
        if len(run.group()) < _CARD_DIGITS.start:
            continue
        groups = [(run.start() + g.start(), run.start() + g.end()) for g in re.finditer(r"\d+", run.group())]
        first = 0
        while first < len(groups):
            last = _card_end(text, groups, first)
            if last:
                yield groups[first][0], groups[last - 1][1]
            first = last or first + 1


def _card_end(text: str, groups: list[Span], first: int) -> int:
    """The index after the last group of the card number that begins with the group ``first``; 0 if none does."""
    digits = ""
    best = 0
    if text[groups[first][0]] not in "23456":  # the first digits of payment cards; others are timestamps and the like
        return 0
    for index in range(first, len(groups)):
        start, stop = groups[index]
        if len(digits) + stop - start >= _CARD_DIGITS.stop:
            break
        digits += text[start:stop]
        if len(digits) in _CARD_DIGITS and luhn(digits):
            best = index + 1
    return best


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        yield match.span()


_FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {"email": _emails, "ip": _ips, "card": _cards, "phone": _phones}
