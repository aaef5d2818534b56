"""A trust domain as a service on loopback: the three endpoints that Sigstore clients sign with, and what they trust.

Anybody who can connect may ask; a certificate needs an identity token of the domain, and tokens are made by whoever may
read its folder. Source: the APIs of Fulcio (v2), Rekor (v2) and the timestamp authority, as sigstore clients call them.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from remit.errors import RemitError, SigningFailed, TokenInvalid
from remit.registry.patience import arriving
from remit.registry.trust.domain import Domain
from remit.registry.trust.log import signature_entry

__all__ = ["application", "trust_config"]

_MOST_BODY = 64 << 10
_NUMBER = re.compile(r"[0-9]{1,15}")


class _Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that is answered with a status and a line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Csr(msgspec.Struct, rename="camel"):
    certificate_signing_request: str


class _RawBytes(msgspec.Struct, rename="camel"):
    raw_bytes: str


class _Verifier(msgspec.Struct, rename={"x509_certificate": "x509Certificate", "key_details": "keyDetails"}):
    x509_certificate: _RawBytes
    key_details: str


class _Signature(msgspec.Struct):
    content: str
    verifier: _Verifier


class _HashedRekord(msgspec.Struct):
    digest: str
    signature: _Signature


class _Entry(msgspec.Struct, rename={"request": "hashedRekordRequestV002"}):
    request: _HashedRekord


def trust_config(domain: Domain, address: str) -> dict[str, Any]:
    """The client trust configuration of a domain that is served: whom to trust, and where to sign.

    :param address: ``http://HOST:PORT``
    """
    since = msgspec.json.decode(domain.trusted_root)["tlogs"][0]["publicKey"]["validFor"]["start"]

    def at(path: str, version: int) -> list[dict[str, Any]]:
        service = {"url": f"{address}{path}", "majorApiVersion": version, "operator": domain.about.name}
        return [service | {"validFor": {"start": since}}]

    return {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": msgspec.json.decode(domain.trusted_root),
        "signingConfig": {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": at("", 1),
            "oidcUrls": at("", 1),
            "rekorTlogUrls": at("/rekor", 2),
            "tsaUrls": at("/timestamp", 1),
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        },
    }


def application(domain: Domain) -> Starlette:
    """The service over a domain. It answers to names of this machine only, whoever leads a browser to it."""
    service = _Service(domain)
    return Starlette(
        routes=[
            Route("/api/v2/signingCert", service.endpoint(service.certify), methods=["POST"]),
            Route("/rekor/api/v2/log/entries", service.endpoint(service.append), methods=["POST"]),
            Route("/rekor/api/v2/checkpoint", service.endpoint(service.checkpoint)),
            Route("/rekor/api/v2/consistency", service.endpoint(service.consistency)),
            Route("/timestamp", service.endpoint(service.stamp), methods=["POST"]),
            Route("/trusted_root.json", service.endpoint(service.root)),
            Route("/trust_config.json", service.endpoint(service.config)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


class _Service:
    """What each endpoint answers."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._changing = threading.Lock()

    def endpoint(self, answer: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
        """An endpoint that gives what ``answer`` gives, one request at a time."""

        def locked(request: Request, body: bytes) -> Response:
            with self._changing:
                self._domain.refresh()
                return answer(request, body)

        async def serve(request: Request) -> Response:
            try:
                return await run_in_threadpool(locked, request, await _body(request))
            except _Refused as refused:
                return JSONResponse({"message": str(refused)}, refused.status)
            except HTTPException as error:
                return JSONResponse({"message": error.detail}, error.status_code, error.headers)
            except TokenInvalid as error:
                return JSONResponse({"message": error.message}, 401)
            except RemitError as error:
                return JSONResponse({"message": error.message}, 400 if isinstance(error, SigningFailed) else 500)

        return serve

    def certify(self, request: Request, body: bytes) -> Response:
        """A certificate for the holder of an identity token and of a key."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _Refused(401, "an identity token is needed")
        identity = self._domain.whose(bearer.strip())
        key = _key_of(_read(body, _Csr).certificate_signing_request)
        chain = [each.public_bytes(Encoding.PEM).decode() for each in self._domain.certify(key, identity.subject)]
        return JSONResponse({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}})

    def append(self, _request: Request, body: bytes) -> Response:
        """An entry of the log, with its proof."""
        return JSONResponse(self._domain.log.append(_entry(_read(body, _Entry).request)), 201)

    def stamp(self, _request: Request, body: bytes) -> Response:
        """A timestamp."""
        return Response(self._domain.stamp(body), 201, media_type="application/timestamp-reply")

    def root(self, _request: Request, _body: bytes) -> Response:
        """``trusted_root.json``."""
        return Response(self._domain.trusted_root, media_type="application/json")

    def config(self, request: Request, _body: bytes) -> Response:
        """The client trust configuration."""
        return JSONResponse(trust_config(self._domain, str(request.base_url).rstrip("/")))

    def checkpoint(self, _request: Request, _body: bytes) -> Response:
        """The log's newest checkpoint."""
        return Response(self._domain.log.checkpoint, media_type="text/plain; charset=utf-8")

    def consistency(self, request: Request, _body: bytes) -> Response:
        """The proof that one state of the log begins with another."""
        log = self._domain.log
        old, new = (request.query_params.get(name, "") for name in ("old", "new"))
        if not _NUMBER.fullmatch(old) or not _NUMBER.fullmatch(new) or not int(old) <= int(new) <= len(log):
            raise _Refused(400, "old and new are sizes of the log")
        hashes = [base64.b64encode(each).decode() for each in log.consistency(int(old), int(new))]
        return JSONResponse({"hashes": hashes})


async def _body(request: Request) -> bytes:
    body = b""
    async for part in arriving(request):
        body += part
        if len(body) > _MOST_BODY:
            raise _Refused(413, f"a request has at most {_MOST_BODY} bytes")
    return body


def _read(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Refused(400, f"the request is malformed: {error}") from error


def _key_of(request: str) -> ec.EllipticCurvePublicKey:
    """The key of a certificate signing request, whose holder signed it."""
    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(request))
        key = csr.public_key()
        signed = csr.is_signature_valid
    except (ValueError, TypeError, binascii.Error) as error:
        raise _Refused(400, "the certificate signing request cannot be read") from error
    if not signed or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _Refused(400, "the request is not signed with an ECDSA P-256 key")
    return key


def _entry(asked: _HashedRekord) -> dict[str, Any]:
    """The log's entry for a signature, which holds: no log takes what nobody signed."""
    verifier = asked.signature.verifier
    try:
        raw = base64.b64decode(verifier.x509_certificate.raw_bytes, validate=True)
        digest = base64.b64decode(asked.digest, validate=True)
        signature = base64.b64decode(asked.signature.content, validate=True)
        key = x509.load_der_x509_certificate(raw).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise _Refused(400, "the certificate's key is not of an elliptic curve")
        key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (ValueError, TypeError, binascii.Error, InvalidSignature) as error:
        raise _Refused(400, "the signature does not hold") from error
    return signature_entry(
        asked.digest, asked.signature.content, verifier.x509_certificate.raw_bytes, verifier.key_details
    )
