"""A registry's folder: contents by digest, and who refers to them. The files are the state; processes may share it.

    blobs/sha256/HEX                            every blob and manifest, as in an OCI image layout
    repositories/NAME/_blobs/HEX                which of them a repository offers
    repositories/NAME/_manifests/HEX            which of them are manifests there: the file holds the media type
    repositories/NAME/_tags/TAG                 the digest behind a tag
    repositories/NAME/_referrers/HEX/HEX        a descriptor of what refers to a manifest
    uploads/ID                                  what is being sent
    units.jsonl                                 what was published and withdrawn: see :mod:`remit.registry.index`

Each step is one atomic rename or link, so a crash leaves nothing half visible; contents are on disk before a manifest
that names them is. A tag that is a version is made by an
exclusive link: of two publishers one wins. Names come checked by :mod:`remit.registry.reference`; no part begins with
``_`` or a dot, so a name cannot lead out or into what is kept here.

Source: OCI image specification 1.1, ``image-layout.md``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from remit.errors import ReferenceUnknown, StoreInvalid, VersionTaken
from remit.errors.refusals import (
    UploadMismatch,
)
from remit.kernel.ports import Clock, Ids, SystemClock, SystemIds
from remit.registry.oci import Descriptor, Index, read_json, sha256
from remit.registry.uploads import Uploads
from remit.schemas.versions import is_version

__all__ = ["Store", "is_release"]

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_STEP = 1 << 20


def is_release(tag: str) -> bool:
    """Whether a tag is a version, and so never moves."""
    return is_version(tag.replace("_", "+"))


class Store:
    """One registry's folder.

    :raises StoreInvalid: if the folder holds something else
    """

    def __init__(self, root: Path, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.root = root
        self.clock = clock or SystemClock()
        self._ids = ids or SystemIds(self.clock)
        self.uploads = Uploads(root / "uploads", self.clock, self._ids)
        marker = root / "oci-layout"
        if not marker.exists():
            if root.exists() and any(root.iterdir()):
                raise StoreInvalid(f"{root} is not empty, and no registry", remedy="name an empty folder")
            for folder in ("blobs/sha256", "repositories", "uploads"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            self._write(marker, _LAYOUT, settle=True)

    # ---- contents ----

    def blob_path(self, digest: str) -> Path:
        """Where contents are, whether or not they are there."""
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def read(self, digest: str, limit: int) -> bytes:
        """Contents up to a limit, checked against their digest.

        :raises ReferenceUnknown: if they are not here
        :raises StoreInvalid: if they were changed
        """
        try:
            with self.blob_path(digest).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise ReferenceUnknown(f"there is no {digest}") from None
        if sha256(data) != digest:
            raise StoreInvalid(f"the contents of {digest} were changed, or are larger than they may be")
        return data

    def size(self, digest: str) -> int:
        """Bytes of contents.

        :raises ReferenceUnknown: if they are not here
        """
        try:
            return self.blob_path(digest).stat().st_size
        except FileNotFoundError:
            raise ReferenceUnknown(f"there is no {digest}") from None

    def put(self, repository: str, data: bytes) -> str:
        """Keep contents, offered by a repository; gives their digest."""
        digest = sha256(data)
        place = self.blob_path(digest)
        if not place.exists():
            self._write(place, data)
        self.offer(repository, digest)
        return digest

    def offer(self, repository: str, digest: str) -> None:
        """Let a repository offer contents that are here."""
        self._write(self._of(repository, "_blobs", digest), b"")

    def offers(self, repository: str, digest: str) -> bool:
        """Whether a repository offers contents."""
        return self._of(repository, "_blobs", digest).exists() and self.blob_path(digest).exists()

    def withdraw(self, repository: str, digest: str) -> None:
        """Let a repository offer contents no more; they stay for others."""
        self._of(repository, "_blobs", digest).unlink(missing_ok=True)

    # ---- uploads ----

    def finish(self, repository: str, upload: str, digest: str) -> None:
        """Make an upload contents of a repository.

        :raises ContentMismatch: if they are not what the digest says; the upload is gone
        :raises BlockingIOError: if it is still being sent
        """
        path = self.uploads.path(upload)
        hasher = hashlib.sha256()
        with self.uploads.growing(upload), path.open("rb") as file:
            while part := file.read(_STEP):
                hasher.update(part)
            if f"sha256:{hasher.hexdigest()}" != digest:
                path.unlink()
                raise UploadMismatch(f"what was sent is not {digest}", remedy="send it again")
            path.replace(self.blob_path(digest))
        self.offer(repository, digest)

    # ---- manifests and tags ----

    def put_manifest(
        self, repository: str, data: bytes, media_type: str, *, names: Sequence[str], subject: str, entry: Descriptor
    ) -> None:
        """Keep a manifest and, if it has a subject, that it refers to it.

        :param names: the digests of what it names, all of them here
        """
        digest = self.put(repository, data)
        known = self._of(repository, "_manifests", digest)
        if not known.exists():
            for named in {*names, digest}:
                _sync(self.blob_path(named))
            _sync(self.root / "blobs" / "sha256")
            _sync(self._of(repository, "_blobs", digest).parent)
            self._write(known, media_type.encode(), settle=True)
        if subject:
            place = self._referring(repository, subject) / _hex(digest)
            self._write(place, msgspec.json.encode(entry), settle=True)

    def manifest_type(self, repository: str, digest: str) -> str:
        """The media type of a manifest.

        :raises ReferenceUnknown: if the repository has no such manifest
        """
        try:
            return self._of(repository, "_manifests", digest).read_text()
        except FileNotFoundError:
            raise ReferenceUnknown(f"{repository} has no manifest {digest}") from None

    def manifests(self, repository: str) -> list[str]:
        """The digests of a repository's manifests."""
        return [f"sha256:{name}" for name in self._names(repository, "_manifests")]

    def forget_manifest(self, repository: str, digest: str, subject: str) -> None:
        """Remove a manifest, its tags and its being a referrer."""
        for tag in self.tags(repository):
            if self.tagged(repository, tag) == digest:
                self.untag(repository, tag)
        if subject:
            (self._referring(repository, subject) / _hex(digest)).unlink(missing_ok=True)
        self._of(repository, "_manifests", digest).unlink(missing_ok=True)
        self.withdraw(repository, digest)

    def referrers(self, repository: str, digest: str) -> Index:
        """What refers to a manifest, whether or not that is here."""
        folder = self._referring(repository, digest)
        try:
            entries = sorted(folder.iterdir())
        except FileNotFoundError:
            entries = []
        found = [read_json(path.read_bytes(), Descriptor, path.name) for path in entries if path.suffix == ""]
        return Index(2, tuple(found), "application/vnd.oci.image.index.v1+json")

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag name a manifest. A version that names another one stays as it is.

        :raises VersionTaken: if it is a version, and names other contents
        """
        place = self._tag(repository, tag)
        if not is_release(tag):
            self._write(place, digest.encode(), settle=True)
            return
        fresh = self._fresh(place, digest.encode(), settle=True)
        try:
            os.link(fresh, place)  # fails where there is one: this is what makes one of two publishers win
            _sync(place.parent)
        except FileExistsError:
            there = self.tagged(repository, tag)
            if there != digest:
                raise VersionTaken(f"{repository}:{tag} is published already, as {there}", digest=there) from None
        finally:
            fresh.unlink()

    def tagged(self, repository: str, tag: str) -> str:
        """The digest behind a tag.

        :raises ReferenceUnknown: if there is no such tag
        """
        try:
            return self._tag(repository, tag).read_text()
        except FileNotFoundError:
            raise ReferenceUnknown(f"{repository} has no {tag}") from None

    def untag(self, repository: str, tag: str) -> None:
        """Remove a tag."""
        self._tag(repository, tag).unlink(missing_ok=True)

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, in lexical order.

        :raises ReferenceUnknown: if there is no such repository
        """
        if not self._repository(repository).is_dir():
            raise ReferenceUnknown(f"there is no repository {repository}")
        return self._names(repository, "_tags")

    def repositories(self) -> Iterator[str]:
        """Every repository that has a tag."""
        base = self.root / "repositories"
        for folder in sorted(base.rglob("_tags")):
            yield str(folder.parent.relative_to(base))

    # ---- the list of what happened ----

    @property
    def log_path(self) -> Path:
        """``units.jsonl``."""
        return self.root / "units.jsonl"

    @contextmanager
    def appending(self) -> Iterator[int]:
        """The log, held for this process alone, as a descriptor at its end; what was cut off by a crash is gone."""
        descriptor = os.open(self.log_path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, min(size, _STEP), max(0, size - _STEP))
            if tail and not tail.endswith(b"\n"):
                os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # ---- files ----

    def _repository(self, repository: str) -> Path:
        return self.root / "repositories" / repository

    def _of(self, repository: str, kind: str, digest: str) -> Path:
        return self._repository(repository) / kind / _hex(digest)

    def _referring(self, repository: str, subject: str) -> Path:
        return self._repository(repository) / "_referrers" / _hex(subject)

    def _tag(self, repository: str, tag: str) -> Path:
        return self._repository(repository) / "_tags" / tag

    def _names(self, repository: str, kind: str) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(path.name for path in (self._repository(repository) / kind).iterdir())
        return []

    def _fresh(self, place: Path, data: bytes, *, settle: bool) -> Path:
        """Data in a file of its own for a rename or a link to ``place``; on disk, if it is to settle."""
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.root / "uploads" / f".{self._ids.new()}"
        with fresh.open("xb") as file:
            file.write(data)
            if settle:
                file.flush()
                os.fsync(file.fileno())
        return fresh

    def _write(self, place: Path, data: bytes, *, settle: bool = False) -> None:
        if not data and place.exists():
            return
        self._fresh(place, data, settle=settle).replace(place)
        if settle:
            _sync(place.parent)


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _sync(path: Path) -> None:
    """Have a file or a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
