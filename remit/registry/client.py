"""Any OCI registry as a place of units: pull, push, list and attach. Digests and sizes are checked always.

Pushing makes nothing visible before its last step: contents first, then what refers to them, then the version's tag.
A version is never moved: one that is taken by other contents is a conflict. Whether a unit may be admitted is judged
elsewhere, on the bytes that come from here.

Source: OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar
from urllib.parse import quote

import msgspec
import rfc8785

from remit.errors import (
    ReferenceUnknown,
    ReplyTooLarge,
    VersionTaken,
)
from remit.errors.refusals import (
    BlobMismatch,
    BlobTooLong,
    ManifestMismatch,
    PackedOtherwise,
    ReferrerElsewhere,
    ReferrersTooMany,
    ReferrerTooLarge,
    ResumedElsewhere,
    TagsEndless,
    UploadNowhere,
)
from remit.kernel.model import Bundle, Referrer
from remit.kernel.ports import Clock, Progress, SystemClock, no_progress
from remit.registry.bundle import config_of, layers_by_name, pack
from remit.registry.credentials import Credentials, credentials_for
from remit.registry.index import MAX_LOG, Entry, read_log
from remit.registry.oci import (
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    MAX_MANIFEST,
    MAX_REFERRER,
    MAX_REFERRERS,
    Descriptor,
    Index,
    read_index,
    read_json,
    read_manifest,
    read_unit,
    referrer_manifest,
    sha256,
)
from remit.registry.reference import Reference, Registry
from remit.registry.tags import best_version, tag_of
from remit.registry.transport import Broken, Reply, Transport

__all__ = ["RegistryClient"]

_OK, _CREATED, _ACCEPTED, _PARTIAL, _NOT_FOUND, _CONFLICT = 200, 201, 202, 206, 404, 409
_LISTED = (_OK, 403, _NOT_FOUND, 405)
_DEADLINE_MS = 300_000
_PARALLEL = 4
_ATTEMPTS = 4
_CHUNK = 16 << 20
_SMALL = 64 << 10
_MAX_PAGE = 1 << 20
_MOST_PAGES = 100
_MOST_TAGS = 20_000
_NEXT = re.compile(r'<([^<>]{1,2000})>\s*;\s*rel="?next"?')
T = TypeVar("T")
R = TypeVar("R")


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class RegistryClient:
    """One registry, for a while. Use it with ``with``.

    :param deadline_ms: for everything that is done with it, together
    """

    def __init__(
        self,
        registry: Registry,
        clock: Clock | None = None,
        *,
        credentials: Credentials | None = None,
        deadline_ms: int = _DEADLINE_MS,
    ) -> None:
        self.registry = registry
        known = credentials_for(registry.host) if credentials is None else credentials
        self._http = Transport(registry, clock or SystemClock(), known, deadline_ms=deadline_ms)
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="registry")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._http.close()

    # ---- reading ----

    def pull(self, reference: Reference, progress: Progress = no_progress) -> Bundle:
        """The bundle behind a reference, with what refers to it.

        :raises NotAUnit: if something else is there
        :raises ContentMismatch: if what comes is not what its digest says
        :raises RegistryError: if the registry cannot be used
        """
        progress(f"asking {self.registry.host}", 0.0)
        repository = reference.repository
        raw = self.manifest(repository, reference.digest or self._tag(reference))
        manifest = read_unit(raw)
        named = layers_by_name(manifest)
        referring = self._pool.submit(self.referrers, repository, sha256(raw))
        total = sum(layer.size for layer in manifest.layers) or 1
        done = 0
        files: dict[str, bytes] = {}
        contents = self._each(lambda layer: self.blob(repository, layer), named.values())
        for name, data in zip(named, contents, strict=True):
            files[name] = data
            done += len(data)
            progress(f"fetching from {self.registry.host}", done / total)
        bundle = pack(files, origin=str(reference), referrers=referring.result())
        if bundle.oci_manifest != raw:
            raise PackedOtherwise(f"{reference} is not packed as a unit is")
        return bundle

    def manifest(self, repository: str, reference: str) -> bytes:
        """A manifest by its tag or digest.

        :raises ContentMismatch: if it is not what its digest says
        """
        reply = self._get(repository, f"manifests/{reference}", MAX_MANIFEST, {"accept": IMAGE_MANIFEST})
        found = sha256(reply.body)
        promised = reference if ":" in reference else reply.headers.get("docker-content-digest", found)
        if found != promised:
            raise ManifestMismatch(f"{self.registry.host} gives {found} for {promised[:80]}")
        return reply.body

    def blob(self, repository: str, wanted: Descriptor) -> bytes:
        """A blob, taken up again where it broke off.

        :raises ContentMismatch: if it is not what its digest and size say
        """
        got = b""
        for attempt in range(_ATTEMPTS):
            headers = {"range": f"bytes={len(got)}-"} if got else {}
            try:
                reply = self._get(repository, f"blobs/{wanted.digest}", max(wanted.size - len(got), 0), headers, got)
            except Broken as error:
                got += error.got
                if attempt == _ATTEMPTS - 1 or len(got) >= wanted.size:
                    raise
                continue
            except ReplyTooLarge as error:
                raise BlobTooLong(f"{wanted.digest} is longer than its {wanted.size} bytes") from error
            got = got + reply.body if reply.status == _PARTIAL else reply.body
            break
        if len(got) != wanted.size or sha256(got) != wanted.digest:
            raise BlobMismatch(f"{self.registry.host} gives other contents than {wanted.digest}")
        return got

    def tags(self, repository: str) -> list[str]:
        """Every tag of a repository.

        :raises ReferenceUnknown: if there is no such repository
        :raises ReplyInvalid: if the list has no end
        """
        found: list[str] = []
        target = f"/v2/{repository}/tags/list?n=1000"
        seen = {target}
        while target:
            reply = self._http.send("GET", target, accept=(_OK,), limit=_MAX_PAGE, scope=_scope(repository))
            found += read_json(reply.body, _Tags, "the list of tags").tags or []
            more = _NEXT.search(reply.headers.get("link", ""))
            target = str(self._http.place(more.group(1))) if more else ""
            if target in seen or len(seen) > _MOST_PAGES or len(found) > _MOST_TAGS:
                raise TagsEndless(f"the list of tags of {repository} has no end")
            seen.add(target)
        return found

    def log(self) -> list[Entry]:
        """What the registry published and withdrew, where it is one of Remit's.

        :raises ReferenceUnknown: if it keeps no such list
        """
        return read_log(self.file("/units.jsonl", MAX_LOG))

    def file(self, path: str, limit: int) -> bytes:
        """A file that a registry of ours gives out beside what the specification asks for.

        :raises ReferenceUnknown: if there is none
        """
        reply = self._http.send("GET", path, accept=_LISTED, limit=limit)
        # Some registries answer what they do not know with a page for people.
        if reply.status != _OK or reply.headers.get("content-type", "").startswith("text/html"):
            raise ReferenceUnknown(f"{self.registry.host} has no {path[:100]}")
        return reply.body

    def referrers(self, repository: str, digest: str) -> tuple[Referrer, ...]:
        """What refers to a manifest: over the referrers API, or the fallback tag where the registry has none."""
        found = [entry for entry in self._referring(repository, digest).manifests if entry.media_type == IMAGE_MANIFEST]
        if len(found) > MAX_REFERRERS:
            raise ReferrersTooMany(f"{len(found)} manifests refer to {digest}; {MAX_REFERRERS} may")
        return tuple(self._each(lambda entry: self._referrer(repository, entry, digest), found, here=True))

    def _referring(self, repository: str, digest: str) -> Index:
        reply = self._http.send(
            "GET",
            f"/v2/{repository}/referrers/{digest}",
            accept=(_OK, _NOT_FOUND),
            limit=MAX_MANIFEST,
            scope=_scope(repository),
        )
        if reply.status == _NOT_FOUND:
            return self._fallback(repository, digest)
        return read_index(reply.body)

    def _fallback(self, repository: str, digest: str) -> Index:
        try:
            reply = self._get(repository, f"manifests/{_fallback_tag(digest)}", MAX_MANIFEST, {"accept": IMAGE_INDEX})
        except ReferenceUnknown:
            return Index(2, ())
        return read_index(reply.body)

    def _referrer(self, repository: str, entry: Descriptor, subject: str) -> Referrer:
        manifest = read_manifest(self.manifest(repository, entry.digest))
        if manifest.subject is None or manifest.subject.digest != subject or len(manifest.layers) != 1:
            raise ReferrerElsewhere(f"{entry.digest} does not refer to {subject} as it should")
        layer = manifest.layers[0]
        if layer.size > MAX_REFERRER:
            raise ReferrerTooLarge(f"{layer.digest} has {layer.size} bytes; {MAX_REFERRER} are allowed")
        return Referrer(manifest.artifact_type or layer.media_type, self.blob(repository, layer))

    def _tag(self, reference: Reference) -> str:
        if reference.tag and not reference.version_range:
            return reference.tag
        return best_version(self.tags(reference.repository), reference.version_range or "*", reference.repository)

    # ---- writing ----

    def push(self, repository: str, bundle: Bundle, version: str, progress: Progress = no_progress) -> bool:
        """Publish a bundle under its version, whole or not at all. ``False`` where it was published already.

        :raises VersionTaken: if the version is published with other contents
        :raises RegistryError: if the registry cannot be used
        """
        tag = tag_of(version)
        if self._published(repository, tag, bundle.digest):
            return False
        blobs = {sha256(data): data for data in [*bundle.files.values(), config_of(bundle.files)]}
        referring = [referrer_manifest(bundle.oci_manifest, referrer) for referrer in bundle.referrers]
        if referring:
            blobs |= {sha256(data): data for data in [b"{}", *(referrer.data for referrer in bundle.referrers)]}
        total, done = sum(map(len, blobs.values())) or 1, 0
        for size in self._each(lambda item: self._upload(repository, *item), blobs.items()):
            done += size
            progress(f"sending to {self.registry.host}", done / total)
        if referring:
            self._put_manifest(repository, bundle.digest, bundle.oci_manifest)
        for manifest, referrer in zip(referring, bundle.referrers, strict=True):
            self._attach(repository, bundle.digest, manifest, referrer.artifact_type)
        reply = self._put_manifest(repository, tag, bundle.oci_manifest, (_CREATED, _CONFLICT))
        if reply.status == _CONFLICT and not self._published(repository, tag, bundle.digest):
            raise VersionTaken(f"{repository}@{version} was published by somebody else just now")
        return reply.status == _CREATED

    def attach(self, repository: str, digest: str, referrer: Referrer) -> None:
        """Let something refer to a unit that is published already.

        :raises ReferenceUnknown: if it is not
        """
        manifest = referrer_manifest(self.manifest(repository, digest), referrer)
        for data in (b"{}", referrer.data):
            self._upload(repository, sha256(data), data)
        self._attach(repository, digest, manifest, referrer.artifact_type)

    def _published(self, repository: str, tag: str, digest: str) -> bool:
        try:
            there = sha256(self.manifest(repository, tag))
        except ReferenceUnknown:
            return False
        if there != digest:
            raise VersionTaken(f"{repository}:{tag} is published already, as {there}", digest=there)
        return True

    def _attach(self, repository: str, subject: str, manifest: bytes, artifact_type: str) -> None:
        entry = Descriptor(IMAGE_MANIFEST, sha256(manifest), len(manifest), artifact_type=artifact_type)
        reply = self._put_manifest(repository, entry.digest, manifest)
        if reply.headers.get("oci-subject") == subject:
            return
        # The registry knows no referrers: the specification's fallback is a list that clients keep.
        index = self._fallback(repository, subject)
        if entry.digest in {known.digest for known in index.manifests}:
            return
        listed = msgspec.to_builtins(Index(2, (*index.manifests, entry), IMAGE_INDEX))
        tag = _fallback_tag(subject)
        self._put_manifest(repository, tag, rfc8785.dumps(listed), media_type=IMAGE_INDEX)

    def _put_manifest(
        self,
        repository: str,
        reference: str,
        data: bytes,
        accept: tuple[int, ...] = (_CREATED,),
        media_type: str = IMAGE_MANIFEST,
    ) -> Reply:
        return self._http.send(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            accept=accept,
            limit=_MAX_PAGE,
            headers={"content-type": media_type},
            content=data,
            scope=_scope(repository, write=True),
        )

    def _upload(self, repository: str, digest: str, data: bytes) -> int:
        """Send one blob, unless it is there; gives its size."""
        scope = _scope(repository, write=True)
        target = f"/v2/{repository}/blobs/uploads/"
        octets = {"content-type": "application/octet-stream"}
        whole = f"{target}?digest={quote(digest)}"
        if len(data) <= _SMALL:
            # One request where the registry takes it; else this began an upload like any other.
            begun = self._http.send(
                "POST", whole, accept=(_CREATED, _ACCEPTED), limit=_MAX_PAGE, headers=octets, content=data, scope=scope
            )
        else:
            there = self._http.send(
                "HEAD", f"/v2/{repository}/blobs/{digest}", accept=(_OK, _NOT_FOUND), limit=0, scope=scope
            )
            if there.status == _OK:
                return len(data)
            begun = self._http.send("POST", target, accept=(_ACCEPTED,), limit=_MAX_PAGE, scope=scope)
        if begun.status == _CREATED:
            return len(data)
        location = self._location(begun)
        for start in range(0, len(data) - _CHUNK, _CHUNK):
            part = data[start : start + _CHUNK]
            span = octets | {"content-range": f"{start}-{start + len(part) - 1}"}
            location = self._location(
                self._http.send(
                    "PATCH", location, accept=(_ACCEPTED,), limit=_MAX_PAGE, headers=span, content=part, scope=scope
                )
            )
        sent = max(0, -(-(len(data) - _CHUNK) // _CHUNK)) * _CHUNK
        rest = data[sent:]
        if sent:
            octets["content-range"] = f"{sent}-{len(data) - 1}"
        end = f"{location}{'&' if '?' in location else '?'}digest={quote(digest)}"
        self._http.send("PUT", end, accept=(_CREATED,), limit=_MAX_PAGE, headers=octets, content=rest, scope=scope)
        return len(data)

    def _location(self, reply: Reply) -> str:
        location = reply.headers.get("location", "")
        if not location:
            raise UploadNowhere(f"{self.registry.host} begins an upload without saying where")
        return str(self._http.place(location))

    # ---- both ----

    def _get(self, repository: str, tail: str, limit: int, headers: dict[str, str], begun: bytes = b"") -> Reply:
        target = f"/v2/{repository}/{tail}"
        accept = (_OK, _PARTIAL) if begun else (_OK,)
        # A registry that does not resume sends everything again.
        bound = limit + len(begun)
        reply = self._http.send("GET", target, accept=accept, limit=bound, headers=headers, scope=_scope(repository))
        if reply.status == _PARTIAL and not reply.headers.get("content-range", "").startswith(f"bytes {len(begun)}-"):
            raise ResumedElsewhere(f"{self.registry.host} resumes elsewhere than was asked")
        return reply

    def _each(self, work: Callable[[T], R], items: Iterable[T], *, here: bool = False) -> Iterable[R]:
        """The work on each item, in order; in parallel, unless the caller is itself one of the parallel ones."""
        return map(work, items) if here else self._pool.map(work, items)


def _scope(repository: str, *, write: bool = False) -> str:
    return f"repository:{repository}:{'pull,push' if write else 'pull'}"


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-")
