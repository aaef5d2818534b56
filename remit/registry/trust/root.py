"""The trusted root: the keys and authorities of a Sigstore instance, each with the time in which it counts.

The stock verifier enforces those times for timestamp authorities only, and there not the end itself. So a root is cut
to what counted when a signature was made, before that verifier sees it.

Source: Sigstore's ``trusted_root.json`` (protobuf-specs, ``sigstore_trustroot.proto``); ``TimeRange`` is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sigstore.models import TrustedRoot
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from remit.errors.signatures import (
    AuthorityRetired,
    CertificateLogRetired,
    LogRetired,
    RootEmpty,
    RootMalformed,
    TimestampAuthorityRetired,
)
from remit.registry.trust.strict import read_object

if TYPE_CHECKING:
    from sigstore_models.common.v1 import TimeRange
    from sigstore_models.trustroot.v1 import CertificateAuthority, TransparencyLogInstance

    from remit.errors.signatures import Rejected

__all__ = ["MAX_ROOT", "Root", "public_root", "public_root_text"]

MAX_ROOT = 1 << 20
"""Bytes of a trusted root."""
_LISTS = ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")
_INSTANT = timedelta(microseconds=1)
T = TypeVar("T")


class Root:
    """A trusted root.

    :raises RootMalformed: if it cannot be read, or an entry does not say since when it counts
    """

    def __init__(self, data: bytes) -> None:
        document = read_object(data, MAX_ROOT, RootMalformed, "the trusted root")
        if isinstance(document.get("trustedRoot"), dict):  # a client's trust configuration, which holds the root
            document = document["trustedRoot"]
        whole: dict[str, Any] = {name: [] for name in _LISTS} | document
        try:
            self.document = Document.from_json(msgspec.json.encode(whole))
            TrustedRoot(self.document)
        except Exception as error:
            raise RootMalformed(f"the trusted root cannot be read: {_first_line(error)}") from error
        if any(log.public_key.valid_for is None for log in (*self.document.tlogs, *self.document.ctlogs)):
            raise RootMalformed("a log's key does not say since when it counts")

    def at(self, times: Sequence[datetime], certified: Sequence[datetime]) -> TrustedRoot:
        """The root for the stock verifier, cut to what counted at all these times.

        :param times: when the signature was made, by whoever says so
        :param certified: when certificate logs vouched for the certificate
        :raises RootEmpty: if nothing of a kind was ever trusted
        :raises Rejected: if nothing of a kind counted then
        """
        document = self.document
        cut = {
            "tlogs": _cut(document.tlogs, _log_range, times, "transparency log", LogRetired),
            "ctlogs": _cut(document.ctlogs, _log_range, certified, "certificate log", CertificateLogRetired),
            "certificate_authorities": _cut(
                document.certificate_authorities, _range, times, "certificate authority", AuthorityRetired
            ),
            "timestamp_authorities": [_closed(entry) for entry in document.timestamp_authorities],
        }
        return TrustedRoot(document.model_copy(update=cut))

    def logs(self, times: Sequence[datetime]) -> list[TransparencyLogInstance]:
        """The transparency logs that counted at all these times.

        :raises Rejected: if there is none
        """
        return _cut(self.document.tlogs, _log_range, times, "transparency log", LogRetired)

    def timestampers(self, at: datetime) -> list[CertificateAuthority]:
        """The timestamp authorities that counted then.

        :raises Rejected: if there is none
        """
        kept = self.document.timestamp_authorities
        return _cut(kept, _range, [at], "timestamp authority", TimestampAuthorityRetired)


def public_root() -> Root:
    """The root of the public instance, as the installed sigstore package ships it; nothing is fetched."""
    return Root(public_root_text().encode())


def public_root_text() -> str:
    """The same as it is shipped."""
    from importlib.resources import files  # noqa: PLC0415 - needed here alone

    place = files("sigstore._store") / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev" / "trusted_root.json"
    return place.read_text("utf-8")


def _cut(
    entries: Sequence[T],
    valid: Callable[[T], TimeRange | None],
    times: Sequence[datetime],
    what: str,
    retired: type[Rejected],
) -> list[T]:
    if not entries:
        raise RootEmpty(f"the trusted root has no {what}")
    kept = [entry for entry in entries if all(_inside(valid(entry), time) for time in times)]
    if not kept:
        shown = ", ".join(sorted({time.isoformat() for time in times}))
        raise retired(f"no {what} of the trusted root counted at {shown}")
    return kept


def _inside(valid: TimeRange | None, time: datetime) -> bool:
    return valid is not None and valid.start <= time and (valid.end is None or time <= valid.end)


def _log_range(log: TransparencyLogInstance) -> TimeRange | None:
    return log.public_key.valid_for


def _range(authority: CertificateAuthority) -> TimeRange:
    return authority.valid_for


def _closed(authority: CertificateAuthority) -> CertificateAuthority:
    """The authority with its end moved past itself: the stock verifier takes ends as open."""
    valid = authority.valid_for
    if valid.end is None:
        return authority
    moved = valid.model_copy(update={"end": valid.end + _INSTANT})
    return authority.model_copy(update={"valid_for": moved})


def _first_line(error: BaseException) -> str:
    lines: list[Any] = str(error).splitlines()
    return str(lines[0])[:200] if lines else type(error).__name__
