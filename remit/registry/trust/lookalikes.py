"""Names that could be taken for others: a letter off, or made of what looks alike. Pure; warns, and decides nothing.

Source: Unicode UTS 39 for skeletons, of which names in lower-case ASCII need a few lines; Damerau-Levenshtein distance.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["POPULAR", "resembled"]

POPULAR = ("acme/calc", "acme/counter", "acme/redact", "acme/tone")
"""Units that everybody meets first: the ones that Remit shows its work with."""

_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("2", "z"), ("-", ""))
_SHORT = 4
"""Names this short differ by one letter by chance."""
_LONG = 8


def resembled(unit: str, known: Iterable[str]) -> str:
    """The known unit, or publisher, that a unit's name could be taken for; "" if there is none.

    Whoever signs for a known publisher names its units as they like: only strangers' names are looked at.

    :param known: ids of units, and names of publishers
    """
    names = sorted(set(known))
    publisher, _, name = unit.partition("/")
    publishers = sorted({one.partition("/")[0] for one in names})
    if publisher in publishers:
        return ""
    alike = [other for other in publishers if _alike(publisher, other)]
    alike += [other for other in names if "/" in other and _alike(name, other.partition("/")[2])]
    return alike[0] if alike else ""


def _alike(one: str, other: str) -> bool:
    if one == other:
        return False
    if _skeleton(one) == _skeleton(other):
        return True
    from rapidfuzz.distance import OSA  # noqa: PLC0415 - only an admission needs it, and it takes a while to load

    shorter = min(len(one), len(other))
    allowed = 0 if shorter <= _SHORT else 1 if shorter < _LONG else 2
    return OSA.distance(one, other, score_cutoff=allowed) <= allowed


def _skeleton(name: str) -> str:
    for seen, meant in _ALIKE:
        name = name.replace(seen, meant)
    return name
