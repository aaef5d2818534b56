"""The built-in registry over HTTP: OCI distribution 1.1 with referrers, a list of units, and pages to read them.

Puts HTTP around :mod:`remit.registry.store` and :mod:`remit.registry.intake`; holds no state of its own. Versions never
move and are never deleted; other tags, manifests and blobs that no version needs may be.

Source: OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from remit.errors import (
    BundleInvalid,
    ContentMismatch,
    NotAUnit,
    ReferenceInvalid,
    ReferenceUnknown,
    RemitError,
    ReplyInvalid,
    VersionTaken,
)
from remit.errors.refusals import UploadsTooMany
from remit.registry import intake, pages
from remit.registry.bundle import MAX_FILE
from remit.registry.oci import IMAGE_INDEX, MAX_MANIFEST, is_digest, sha256
from remit.registry.patience import arriving
from remit.registry.reference import check_repository, is_tag
from remit.registry.store import Store, is_release
from remit.registry.users import Users

__all__ = ["application"]

_PATH = re.compile(r"(?P<name>.+?)/(?P<kind>blobs/uploads|blobs|manifests|tags|referrers)/(?P<rest>[^/]*)")
_SPAN = re.compile(r"(?:bytes[= ])?([0-9]{1,15})-([0-9]{1,15})(?:/.*)?")
_MOST_TAGS = 10_000
_FAULTS: dict[type[RemitError], tuple[int, str]] = {
    VersionTaken: (409, "DENIED"),
    UploadsTooMany: (429, "TOOMANYREQUESTS"),
    ReferenceUnknown: (404, "NAME_UNKNOWN"),
    ReferenceInvalid: (400, "NAME_INVALID"),
    ContentMismatch: (400, "DIGEST_INVALID"),
    ReplyInvalid: (400, "MANIFEST_INVALID"),
    BundleInvalid: (400, "MANIFEST_INVALID"),
    NotAUnit: (400, "MANIFEST_INVALID"),
}


class _Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """An answer that ends a request."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


def application(store: Store, users: Users | None = None) -> Starlette:
    """The registry as an ASGI application.

    :param users: who may write; ``None`` lets everybody whose request names this machine, for loopback only
    """
    server = _Server(store, users)
    methods = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/v2/", server.hello),
            Route("/v2/{path:path}", server.answer, methods=methods),
            Route("/units.jsonl", server.log),
            *pages.routes(store, server.may_read),
        ],
        exception_handlers={_Refusal: _refused, RemitError: _failed, HTTPException: _http},
    )


class _File(FileResponse):
    """A file in parts that are worth a thread's while."""

    chunk_size = 1 << 20


class _Server:
    """The endpoints."""

    def __init__(self, store: Store, users: Users | None) -> None:
        self._store = store
        self._users = users
        self._handlers: dict[tuple[str, str], Callable[..., Awaitable[Response]]] = {
            ("GET", "blobs"): self._blob,
            ("DELETE", "blobs"): self._delete_blob,
            ("POST", "blobs/uploads"): self._begin,
            ("GET", "blobs/uploads"): self._progress,
            ("PATCH", "blobs/uploads"): self._grow,
            ("PUT", "blobs/uploads"): self._finish,
            ("DELETE", "blobs/uploads"): self._cancel,
            ("GET", "manifests"): self._manifest,
            ("PUT", "manifests"): self._put_manifest,
            ("DELETE", "manifests"): self._delete_manifest,
            ("GET", "tags"): self._tags,
            ("GET", "referrers"): self._referrers,
        }

    async def hello(self, request: Request) -> Response:
        """That this is a registry."""
        self.may_read(request)
        return JSONResponse({}, headers={"docker-distribution-api-version": "registry/2.0"})

    async def log(self, request: Request) -> Response:
        """The list of units."""
        self.may_read(request)
        if not self._store.log_path.exists():
            return Response(b"", media_type="application/jsonl")
        return _File(self._store.log_path, media_type="application/jsonl")

    async def answer(self, request: Request) -> Response:
        """Everything below ``/v2/``."""
        found = _PATH.fullmatch(request.path_params["path"])
        method = "GET" if request.method == "HEAD" else request.method
        handler = found and self._handlers.get((method, found["kind"]))
        if not found or not handler:
            raise _Refusal(404 if not found else 405, "UNSUPPORTED", "there is no such thing to do here")
        name = found["name"]
        check_repository(name)
        who = self.may_read(request) if method == "GET" else self._may_write(request, name)
        if found["kind"] == "blobs/uploads" and found["rest"] and not self._store.uploads.begun_by(found["rest"], who):
            raise _Refusal(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        return await handler(request, name, found["rest"])

    # ---- who may ----

    def may_read(self, request: Request) -> str:
        """Who reads, or "".

        :raises _Refusal: if they may not
        """
        if self._users is None:
            host = request.url.hostname or ""
            if host not in ("localhost", "127.0.0.1", "::1"):  # a page elsewhere that was pointed at this machine
                raise _Refusal(403, "DENIED", "this registry has no users, and answers to this machine's names only")
            return ""
        known = self._users.known(request.headers.get("authorization", ""))
        if known is None and (self._users.private or "authorization" in request.headers):
            raise _Refusal(401, "UNAUTHORIZED", "who are you?", {"www-authenticate": 'Basic realm="remit"'})
        return known[0] if known else ""

    def _may_write(self, request: Request, repository: str) -> str:
        name = self.may_read(request)
        if self._users is None:
            if "origin" in request.headers:  # browsers say so: a page elsewhere must not write, even what nobody names
                raise _Refusal(403, "DENIED", "a web page may not write here")
            return name
        if not name:
            raise _Refusal(401, "UNAUTHORIZED", "who are you?", {"www-authenticate": 'Basic realm="remit"'})
        if not self._users.user[name].may_write(repository):
            raise _Refusal(403, "DENIED", f"{name} may not write to {repository}")
        return name

    # ---- blobs ----

    async def _blob(self, request: Request, name: str, digest: str) -> Response:
        self._check_digest(digest)
        if not self._store.offers(name, digest):
            raise _Refusal(404, "BLOB_UNKNOWN", f"{name} has no {digest}")
        headers = {"docker-content-digest": digest, "etag": f'"{digest}"', "x-content-type-options": "nosniff"}
        del request  # starlette serves its Range
        return _File(self._store.blob_path(digest), media_type="application/octet-stream", headers=headers)

    async def _delete_blob(self, request: Request, name: str, digest: str) -> Response:
        del request
        self._check_digest(digest)
        if not self._store.offers(name, digest):
            raise _Refusal(404, "BLOB_UNKNOWN", f"{name} has no {digest}")
        for kept in self._store.manifests(name):
            if digest in self._store.read(kept, MAX_MANIFEST).decode("utf-8", "replace"):
                raise _Refusal(405, "UNSUPPORTED", f"{kept} needs it")
        self._store.withdraw(name, digest)
        return Response(status_code=202)

    # ---- uploads ----

    async def _begin(self, request: Request, name: str, rest: str) -> Response:
        if rest:
            raise _Refusal(405, "UNSUPPORTED", "an upload is begun without an id")
        mount, source = request.query_params.get("mount", ""), request.query_params.get("from", "")
        if is_digest(mount) and source:
            check_repository(source)
            if self._store.offers(source, mount):
                self._store.offer(name, mount)
                return _created(f"/v2/{name}/blobs/{mount}", mount)
        digest = request.query_params.get("digest", "")
        if digest:
            self._check_digest(digest)
        upload = self._store.uploads.begin(self.may_read(request))
        if digest:
            try:
                return await self._complete(request, name, upload, digest)
            except BaseException:
                self._store.uploads.cancel(upload)  # nobody was told its id, so nobody can go on with it
                raise
        return self._state(name, upload, 202)

    async def _progress(self, request: Request, name: str, upload: str) -> Response:
        del request
        return self._state(name, upload, 204)

    async def _grow(self, request: Request, name: str, upload: str) -> Response:
        await self._receive(request, name, upload)
        return self._state(name, upload, 202)

    async def _finish(self, request: Request, name: str, upload: str) -> Response:
        return await self._complete(request, name, upload, request.query_params.get("digest", ""))

    async def _cancel(self, request: Request, name: str, upload: str) -> Response:
        del request, name
        self._store.uploads.path(upload)
        self._store.uploads.cancel(upload)
        return Response(status_code=204)

    async def _complete(self, request: Request, name: str, upload: str, digest: str) -> Response:
        self._check_digest(digest)
        await self._receive(request, name, upload)
        try:
            await run_in_threadpool(self._store.finish, name, upload, digest)
        except BlockingIOError as error:
            raise _busy() from error
        return _created(f"/v2/{name}/blobs/{digest}", digest)

    async def _receive(self, request: Request, name: str, upload: str) -> None:
        try:
            with self._store.uploads.growing(upload) as file:
                await self._append(request, name, upload, file)
        except BlockingIOError as error:
            raise _busy() from error

    async def _append(self, request: Request, name: str, upload: str, file: BinaryIO) -> None:
        size = file.tell()
        span = _SPAN.fullmatch(request.headers.get("content-range", ""))
        if request.headers.get("content-range") and (span is None or int(span[1]) != size):
            raise _Refusal(416, "BLOB_UPLOAD_INVALID", f"the next byte is {size}", _where(name, upload, size))
        try:
            async for part in arriving(request):
                size += len(part)
                if size > MAX_FILE:
                    self._store.uploads.path(upload).unlink()
                    raise _Refusal(413, "SIZE_INVALID", f"a blob may have {MAX_FILE} bytes")
                file.write(part)
        except ClientDisconnect as error:  # what came stays, to be resumed
            raise _Refusal(400, "BLOB_UPLOAD_INVALID", "the upload was cut off") from error

    def _state(self, name: str, upload: str, status: int) -> Response:
        size = self._store.uploads.path(upload).stat().st_size
        return Response(status_code=status, headers=_where(name, upload, size))

    # ---- manifests ----

    async def _manifest(self, request: Request, name: str, reference: str) -> Response:
        del request
        digest = reference if is_digest(reference) else self._tagged(name, reference)
        try:
            media_type = self._store.manifest_type(name, digest)
        except ReferenceUnknown as error:
            raise _Refusal(404, "MANIFEST_UNKNOWN", error.message) from error
        data = await run_in_threadpool(self._store.read, digest, MAX_MANIFEST)
        return Response(data, media_type=media_type, headers={"docker-content-digest": digest, "etag": f'"{digest}"'})

    async def _put_manifest(self, request: Request, name: str, reference: str) -> Response:
        if ":" in reference:
            self._check_digest(reference)
        elif not is_tag(reference):
            raise _Refusal(400, "TAG_INVALID", "that cannot be a tag")
        data = b""
        async for part in arriving(request):
            data += part
            if len(data) > MAX_MANIFEST:
                raise _Refusal(413, "SIZE_INVALID", f"a manifest may have {MAX_MANIFEST} bytes")
        digest = sha256(data)
        if ":" in reference and reference != digest:
            raise _Refusal(400, "DIGEST_INVALID", f"the manifest is {digest}")
        tag = "" if ":" in reference else reference
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        by = self.may_read(request)
        try:
            subject = await run_in_threadpool(intake.take, self._store, name, tag, data, media_type, by)
        except ReferenceUnknown as error:
            raise _Refusal(404, "MANIFEST_BLOB_UNKNOWN", error.message) from error
        response = _created(f"/v2/{name}/manifests/{digest}", digest)
        if subject:
            response.headers["oci-subject"] = subject
        return response

    async def _delete_manifest(self, request: Request, name: str, reference: str) -> Response:
        del request
        digest = reference if is_digest(reference) else self._tagged(name, reference)
        subject = intake.subject_of(self._store, name, digest, MAX_MANIFEST)
        releases = [tag for tag in self._store.tags(name) if is_release(tag)]
        if reference in releases or any(self._store.tagged(name, tag) == digest for tag in releases):
            raise _Refusal(405, "UNSUPPORTED", "a published version stays; 'remit registry yank' withdraws it")
        if is_digest(reference):
            self._store.forget_manifest(name, digest, subject)
        else:
            self._store.untag(name, reference)
        return Response(status_code=202)

    # ---- discovery ----

    async def _tags(self, request: Request, name: str, rest: str) -> Response:
        if rest != "list":
            raise _Refusal(404, "UNSUPPORTED", "there is a list of tags, and nothing else")
        asked, last = request.query_params.get("n", str(_MOST_TAGS)), request.query_params.get("last", "")
        if not asked.isascii() or not asked.isdigit() or len(asked) > len(str(_MOST_TAGS)):
            raise _Refusal(400, "PAGINATION_NUMBER_INVALID", "n is a number of tags")
        tags = [tag for tag in self._store.tags(name) if tag > last]
        page = tags[: min(int(asked), _MOST_TAGS)]
        headers = {}
        if page and len(page) < len(tags):
            headers["link"] = f'</v2/{name}/tags/list?n={len(page)}&last={quote(page[-1])}>; rel="next"'
        return JSONResponse({"name": name, "tags": page}, headers=headers)

    async def _referrers(self, request: Request, name: str, digest: str) -> Response:
        self._check_digest(digest)
        index = self._store.referrers(name, digest)
        # A "+" in a query may mean itself or a space; types hold no spaces.
        wanted = request.query_params.get("artifactType", "").replace(" ", "+")
        headers = {}
        if wanted:
            kept = tuple(entry for entry in index.manifests if entry.artifact_type == wanted)
            index = msgspec.structs.replace(index, manifests=kept)
            headers["oci-filters-applied"] = "artifactType"
        return Response(msgspec.json.encode(index), media_type=IMAGE_INDEX, headers=headers)

    def _tagged(self, name: str, tag: str) -> str:
        if not is_tag(tag):
            raise _Refusal(404, "MANIFEST_UNKNOWN", "that cannot be a tag")
        try:
            return self._store.tagged(name, tag)
        except ReferenceUnknown as error:
            raise _Refusal(404, "MANIFEST_UNKNOWN", error.message) from error

    @staticmethod
    def _check_digest(digest: str) -> None:
        if not is_digest(digest):
            raise _Refusal(400, "DIGEST_INVALID", "only sha256 digests are kept here")


def _busy() -> _Refusal:
    return _Refusal(409, "BLOB_UPLOAD_INVALID", "another request is sending this upload")


def _where(name: str, upload: str, size: int) -> dict[str, str]:
    return {
        "location": f"/v2/{name}/blobs/uploads/{upload}",
        "range": f"0-{max(size - 1, 0)}",
        "docker-upload-uuid": upload,
    }


def _created(location: str, digest: str) -> Response:
    return Response(status_code=201, headers={"location": location, "docker-content-digest": digest})


def _body(code: str, message: str, detail: Any = None) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message} | ({} if detail is None else {"detail": detail})]}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, _Refusal)
    del request
    return JSONResponse(_body(error.code, error.message), error.status, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RemitError)
    del request
    status, code = next((answer for kind, answer in _FAULTS.items() if isinstance(error, kind)), (500, "UNKNOWN"))
    return JSONResponse(_body(code, error.message, {"code": error.code, "remedy": error.remedy}), status)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    del request
    return JSONResponse(_body("UNSUPPORTED", error.detail), error.status_code, headers=error.headers)
