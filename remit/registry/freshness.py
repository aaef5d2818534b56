"""Whether a registry shows its latest state, whole: its TUF metadata checked from a root that the home pins.

Against: an old copy of everything (it expires, and never goes back behind what was seen), parts of different ages, and
versions that somebody added who speaks for another publisher. What was seen is kept in the home.

Source: The Update Framework specification 1.0, section 5 (https://theupdateframework.github.io/specification/latest/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from remit.errors import (
    MetadataExpired,
    MetadataForged,
    MetadataMixed,
    MetadataRolledBack,
    NotAttested,
    ReferenceUnknown,
    RegistryError,
)
from remit.journal import translate_os_error
from remit.registry.attest import FOLDER, LOG_TARGET, target_of
from remit.registry.oci import sha256

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile
    from tuf.ngclient import Updater

__all__ = ["Anchor", "Freshness"]

_BASE = "https://registry.invalid/"
"""Only paths below it are asked for; the transport knows the registry's own address."""
_MAX_FILE = 5_000_000
_MOST_ROOTS = 64
_NOT_FOUND = 404
T = TypeVar("T")


class Anchor(msgspec.Struct, frozen=True):
    """What a home pins of a registry."""

    root: bytes
    """TUF root metadata, from the registry's keeper by another way."""
    seen: Path
    """An owner-only folder for what the registry showed last."""


class Freshness:
    """One registry's metadata, checked once.

    :param fetch: gives the file at a path of the registry; raises :class:`ReferenceUnknown` where there is none
    :raises MetadataExpired: if the metadata ended, so that the registry may be holding something back
    :raises MetadataRolledBack: if it is older than what was seen
    :raises MetadataForged: if the keys that count did not sign it
    :raises MetadataMixed: if its parts do not belong together
    :raises RegistryError: if the registry cannot be used
    """

    def __init__(self, fetch: Callable[[str, int], bytes], anchor: Anchor) -> None:
        anchor.seen.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._seen = anchor.seen
        self._files = _Files(fetch)
        self._updater = self._checked(lambda: _refreshed(self._files, anchor))

    def check_log(self, log: bytes) -> None:
        """Check the list of units.

        :raises NotAttested: if it is another than the keeper attested
        """
        found = self._target(LOG_TARGET)
        if found is None or found.length != len(log) or f"sha256:{found.hashes.get('sha256')}" != sha256(log):
            raise NotAttested("the list of units is not the one that the registry's keeper attested")

    def check(self, unit: str, version: str, digest: str) -> None:
        """Check one version.

        :raises NotAttested: if nobody who may speak for its publisher lists it with this digest
        """
        found = self._target(target_of(unit, version))
        if found is None or f"sha256:{found.hashes.get('sha256')}" != digest:
            raise NotAttested(f"{unit}@{version} is not listed with the digest {digest}")

    def _target(self, name: str) -> TargetFile | None:
        return self._checked(lambda: self._updater.get_targetinfo(name))

    def _checked(self, work: Callable[[], T]) -> T:
        from tuf.api import exceptions as tuf  # noqa: PLC0415 - a library that most homes never need

        try:
            return work()
        except tuf.ExpiredMetadataError as error:
            raise MetadataExpired(f"the registry's metadata has ended: {error}") from error
        except tuf.BadVersionNumberError as error:
            if self._files.went_back(self._seen):
                raise MetadataRolledBack("the registry's metadata is older than what this home has seen") from error
            raise MetadataMixed(f"the registry's metadata does not belong together: {error}") from error
        except tuf.UnsignedMetadataError as error:
            raise MetadataForged(f"the registry's metadata is not signed as it must be: {error}") from error
        except (tuf.RepositoryError, tuf.DownloadError) as error:
            # That a part is missing is the mixture's fault, that the registry cannot be reached is not.
            if isinstance(error.__cause__, RegistryError) and not isinstance(error.__cause__, ReferenceUnknown):
                raise error.__cause__ from None
            raise MetadataMixed(f"the registry's metadata cannot be used: {error}") from error
        except OSError as error:
            raise translate_os_error(error, "keeping what a registry showed") from error


class _Files:
    """The files of the registry as the library fetches them."""

    def __init__(self, fetch: Callable[[str, int], bytes]) -> None:
        self._fetch = fetch
        self._timestamp = b""

    def get(self, url: str) -> bytes:
        """One file.

        :raises ReferenceUnknown: if there is none
        """
        data = self._fetch(f"/{FOLDER}/{url.removeprefix(_BASE)}", _MAX_FILE)
        if url.endswith("/timestamp.json"):
            self._timestamp = data
        return data

    def went_back(self, seen: Path) -> bool:
        """Whether the timestamp that came is older than the one that was seen."""
        known = seen / "timestamp.json"
        return known.exists() and _version(self._timestamp) < _version(known.read_bytes())


class _Signed(msgspec.Struct):
    version: int


class _Metadata(msgspec.Struct):
    signed: _Signed


def _version(data: bytes) -> int:
    try:
        return msgspec.json.decode(data, type=_Metadata).signed.version
    except msgspec.DecodeError:
        return 0


def _refreshed(files: _Files, anchor: Anchor) -> Updater:
    from tuf.api.exceptions import DownloadHTTPError  # noqa: PLC0415 - see above
    from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig  # noqa: PLC0415

    class Fetcher(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            try:
                return iter([files.get(url)])
            except ReferenceUnknown as error:
                raise DownloadHTTPError(str(error), _NOT_FOUND) from error

    config = UpdaterConfig(max_root_rotations=_MOST_ROOTS)
    updater = Updater(str(anchor.seen), _BASE, fetcher=Fetcher(), config=config, bootstrap=anchor.root)
    updater.refresh()
    return updater
