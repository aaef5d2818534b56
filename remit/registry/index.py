"""What a registry offers: a fold of its log, searched in memory. Pure; reading and fetching are done elsewhere.

The log, ``units.jsonl``, has one JSON object a line: a version was published, yanked, or killed. Lines are only added.
A yanked version is what no range means any more; a killed one is given to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec

from remit.errors.refusals import (
    ListMalformed,
    ListTooLong,
    ListVersion,
)
from remit.schemas.versions import Version, is_version

__all__ = ["MAX_LOG", "Entry", "Offer", "Release", "fold", "read_log", "search"]

MAX_LOG = 64 << 20
"""Bytes of a log: about 200,000 versions."""
_MOST_LINES = 400_000
_Time = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""Milliseconds of Unix time, to the end of the year 9999: beyond it there are no dates to show."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the log."""

    kind: Literal["published", "yanked", "killed"]
    unit: str
    version: str
    digest: str
    at_ms: _Time
    title: str = ""
    license: str = ""
    by: str = ""
    reason: str = ""
    requires: dict[str, str] = {}
    """Ranges of other units that it needs, by their ids."""


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version as the log leaves it."""

    version: str
    digest: str
    at_ms: int
    by: str = ""
    requires: dict[str, str] = {}
    withdrawn: Literal["", "yanked", "killed"] = ""
    reason: str = ""


class Offer(msgspec.Struct, frozen=True):
    """One unit: what its newest version says of it, and its versions, best first."""

    id: str
    title: str
    license: str
    releases: tuple[Release, ...]

    @property
    def best(self) -> Release:
        """The best version that was not withdrawn, or the best of all."""
        return next((release for release in self.releases if not release.withdrawn), self.releases[0])


def read_log(data: bytes) -> list[Entry]:
    """The log's entries; a line that a crash cut off at the end is not there yet.

    :raises ReplyInvalid: if a line is malformed, or there are too many
    """
    whole, _, _ = data.rpartition(b"\n")
    if len(data) > MAX_LOG or whole.count(b"\n") >= _MOST_LINES:
        raise ListTooLong("the list of units is longer than it may be")
    try:
        entries: list[Entry] = msgspec.json.Decoder(Entry).decode_lines(whole)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ListMalformed(f"the list of units is malformed: {error}") from error
    if not all(is_version(entry.version) for entry in entries):
        raise ListVersion("the list of units holds what is no version")
    return entries


def fold(entries: Iterable[Entry]) -> dict[str, Offer]:
    """The units by id. The first publication of a version counts, and a withdrawal only for the very same digest."""
    published: dict[str, dict[str, Entry]] = {}
    withdrawn: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.kind == "published":
            published.setdefault(entry.unit, {}).setdefault(entry.version, entry)
        else:
            known = withdrawn.get((entry.unit, entry.digest))
            if known is None or known.kind != "killed":
                withdrawn[entry.unit, entry.digest] = entry
    return {unit: _offer(unit, versions, withdrawn) for unit, versions in published.items()}


def search(offers: Iterable[Offer], words: str, limit: int = 50) -> list[Offer]:
    """Units whose id or title holds every word; those named so come first, withdrawn ones not at all."""
    wanted = words.lower().split()
    ranked = []
    for offer in offers:
        name, title = offer.id, offer.title.lower()
        if all(word in name or word in title for word in wanted) and not offer.best.withdrawn:
            own = name.partition("/")[2]
            rank = min((own != word, not own.startswith(word), word not in name) for word in wanted or [""])
            ranked.append((rank, name, offer))
    ranked.sort(key=lambda item: item[:2])
    return [offer for _, _, offer in ranked[:limit]]


def _offer(unit: str, versions: Mapping[str, Entry], withdrawn: Mapping[tuple[str, str], Entry]) -> Offer:
    ordered = sorted(versions.values(), key=lambda entry: Version(entry.version), reverse=True)
    releases = []
    for entry in ordered:
        ended = withdrawn.get((unit, entry.digest))
        mark: Literal["", "yanked", "killed"] = ""
        if ended is not None and ended.kind != "published":
            mark = ended.kind
        reason = ended.reason if ended else ""
        releases.append(Release(entry.version, entry.digest, entry.at_ms, entry.by, entry.requires, mark, reason))
    return Offer(unit, ordered[0].title, ordered[0].license, tuple(releases))
