"""HTTP to one registry: bounded, authenticated, and never further than the registry's own host with credentials.

Knows nothing of units. Every reply is read up to a limit given by the caller and within one deadline for the whole
client; nothing is decompressed; a redirect is followed only for reading, only to where the same or better protection
holds, and to another host without credentials.

Source: RFC 9110; RFC 6750 and the token flow of https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from remit.errors import (
    RedirectRefused,
    ReferenceUnknown,
    RegistryDenied,
    RegistryError,
    RegistryFailed,
    RegistryTooSlow,
    RegistryUnreachable,
    ReplyTooLarge,
)
from remit.errors.refusals import (
    AddressInvalid,
    AnswerDrips,
    CredentialsRedirected,
    CredentialsWanted,
    RedirectInvalid,
    RedirectUnprotected,
    ReplyCompressed,
    TokenMissing,
    TokenRefused,
    WriteRedirected,
)
from remit.kernel.ports import Clock
from remit.registry.credentials import Credentials
from remit.registry.deadline import hurry
from remit.registry.oci import read_json
from remit.registry.reference import Registry

__all__ = ["Broken", "Reply", "Transport"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_MAX_TOKEN = 64 << 10
_MAX_ERROR = 64 << 10
_MOST_CHALLENGE = 4 << 10
"""Characters of a challenge that are read: a search for pairs in more would take seconds."""
_CHALLENGE = re.compile(r'(?<![a-z_])([a-z_]+)="([^"\\]*)"')
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _OK = 401, 403, 404, 200


class Reply(msgspec.Struct, frozen=True):
    """An answer, read whole."""

    status: int
    headers: httpx.Headers
    body: bytes


class Broken(RegistryUnreachable):
    """A reply that ended before its end; ``got`` is what had come of it."""

    def __init__(self, message: str, got: bytes) -> None:
        super().__init__(message)
        self.got = got


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Transport:
    """Connections to one registry. Safe for many threads; close it when done.

    :param deadline_ms: for everything that is done through it, together
    """

    def __init__(self, registry: Registry, clock: Clock, credentials: Credentials, *, deadline_ms: int) -> None:
        self.registry = registry
        self._clock = clock
        self._credentials = credentials
        self._until = clock.monotonic_ns() + deadline_ms * 1_000_000
        self._tokens: dict[str, str] = {}
        self._asking = threading.Lock()
        # Proxies of the environment are for the world, not for this machine.
        try:
            self._client = httpx.Client(
                base_url=registry.base,
                timeout=_TIMEOUT,
                trust_env=not registry.loopback,
                headers={"accept-encoding": "identity", "user-agent": "remit"},
            )
            _origin(self._client.base_url)
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressInvalid(f"{registry.host[:100]!r} is the address of no registry") from error
        hurry(self._client, lambda: (self._until - clock.monotonic_ns()) / 1e9)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def send(
        self,
        method: str,
        target: str,
        *,
        accept: tuple[int, ...],
        limit: int,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        scope: str = "",
    ) -> Reply:
        """One request and its answer.

        :param target: a path of the registry, or an address that it gave, on the same host
        :param accept: the statuses that the caller knows what to do with
        :param limit: bytes of the answer
        :param scope: ``repository:NAME:pull`` or the like, what a token is asked for
        :raises RegistryError: one class for each thing that may go wrong
        """
        url = self.place(target)
        reply = self._once(method, url, headers, content, self._authorization(scope), accept, limit)
        if reply.status == _UNAUTHORIZED:
            authorization = self._answer(reply.headers.get("www-authenticate", ""), scope)
            reply = self._once(method, url, headers, content, authorization, accept, limit)
        for _ in range(_MOST_REDIRECTS):
            if reply.status not in _REDIRECTS:
                break
            if method not in ("GET", "HEAD"):
                raise WriteRedirected(f"{self.registry.host} redirects a {method}")
            url, mine = self._followed(url, reply.headers.get("location", ""))
            authorization = self._authorization(scope) if mine else ""
            reply = self._once(method, url, headers, content, authorization, accept, limit)
        if reply.status in accept:
            return reply
        raise _refusal(reply, self.registry.host)

    def place(self, target: str) -> httpx.URL:
        """A path, or an address that the registry gave for what follows, as an address of the registry.

        :raises RedirectRefused: if it is on another host
        """
        try:
            url = self._client.base_url.join(target)
            mine = _origin(url) == _origin(self._client.base_url)
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressInvalid(f"{self.registry.host} gave an address that is none: {target[:120]!r}") from error
        if not mine:
            raise CredentialsRedirected(f"{self.registry.host} sends the client to {url.host[:100]}, with credentials")
        return url

    def _followed(self, url: httpx.URL, location: str) -> tuple[httpx.URL, bool]:
        try:
            target = url.join(location)
            mine = _origin(target) == _origin(self._client.base_url)
        except (httpx.InvalidURL, ValueError) as error:
            raise RedirectInvalid(f"{self.registry.host} redirects to what is no address") from error
        secure = target.scheme == "https" or (
            target.scheme == "http" and self.registry.loopback and Registry(target.netloc.decode("ascii")).loopback
        )
        if not location or not target.host or not secure:
            raise RedirectUnprotected(f"{self.registry.host} redirects to {str(target)[:120]}, which is not protected")
        return target, mine

    def _once(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        authorization: str,
        accept: tuple[int, ...],
        limit: int,
    ) -> Reply:
        sent = dict(headers or {})
        if authorization:
            sent["authorization"] = authorization
        self._check_time()
        try:
            with self._client.stream(method, url, headers=sent, content=content) as response:
                expected = response.status_code in accept
                body = b"" if method == "HEAD" else self._read(response, limit if expected else _MAX_ERROR)
                return Reply(response.status_code, response.headers, body)
        except httpx.TimeoutException as error:
            raise RegistryTooSlow(f"{self.registry.host} does not answer in time") from error
        except httpx.LocalProtocolError:
            # What we would send is no HTTP. Its words, and its cause, hold the header: that may be the credentials.
            raise RegistryUnreachable(f"{self.registry.host}: the request or its credentials cannot be sent") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ValueError) as error:
            raise RegistryUnreachable(f"{self.registry.host}: {str(error) or type(error).__name__}") from error

    def _read(self, response: httpx.Response, limit: int) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ReplyCompressed(f"{self.registry.host} sends compressed what was asked for plain")
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.iter_raw():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise ReplyTooLarge(f"{self.registry.host} sends more than {limit} bytes")
                self._check_time()
        except httpx.TimeoutException:
            self._check_time()  # the connection ends at the deadline too: which of the two sees it first is chance
            raise
        except httpx.TransportError as error:
            raise Broken(f"the answer of {self.registry.host} was cut off", b"".join(parts)) from error
        return b"".join(parts)

    def _check_time(self) -> None:
        if self._clock.monotonic_ns() >= self._until:
            raise AnswerDrips(f"{self.registry.host} took longer than it may")

    # ---- who is asking ----

    def _authorization(self, scope: str) -> str:
        if self._credentials.bearer:
            return f"Bearer {self._credentials.bearer}"
        return self._tokens.get(scope, "")

    def _answer(self, challenge: str, scope: str) -> str:
        """The header that answers a challenge, asked for once for each scope."""
        scheme, _, rest = challenge[:_MOST_CHALLENGE].partition(" ")
        with self._asking:
            if scheme.lower() == "basic" and self._credentials.basic:
                self._tokens[scope] = f"Basic {self._credentials.basic}"
            elif scheme.lower() == "bearer":
                self._tokens[scope] = f"Bearer {self._token(dict(_CHALLENGE.findall(rest)), scope)}"
            else:
                raise CredentialsWanted(f"{self.registry.host} wants credentials")
            return self._tokens[scope]

    def _token(self, asked: Mapping[str, str], scope: str) -> str:
        realm, mine = self._followed(self._client.base_url, asked.get("realm", ""))
        parameters = {"scope": scope or asked.get("scope", "")}
        if asked.get("service"):
            parameters["service"] = asked["service"]
        basic = f"Basic {self._credentials.basic}" if self._credentials.basic else ""
        del mine  # the realm is where this registry's credentials are meant to go, on whichever host
        url = realm.copy_merge_params({key: value for key, value in parameters.items() if value})
        reply = self._once("GET", url, None, None, basic, (_OK,), _MAX_TOKEN)
        if reply.status != _OK:
            raise TokenRefused(f"{realm.host} gives no token for {self.registry.host}")
        found = read_json(reply.body, _Token, "the token")
        token = found.token or found.access_token
        if not token or not token.isascii() or not token.isprintable():
            raise TokenMissing(f"{realm.host} answers without a token")
        return token


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """:raises ValueError: if its host begins like an internationalised name (``xn--``) and is none"""
    return url.scheme, url.host, url.port


class _Fault(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Faults(msgspec.Struct):
    errors: list[_Fault] = []


def _refusal(reply: Reply, host: str) -> RegistryError:
    """An unexpected status as an error, with what the registry says of it."""
    said: dict[str, Any] = {"status": reply.status}
    try:
        fault = next(iter(msgspec.json.decode(reply.body, type=_Faults).errors), _Fault())
    except (msgspec.DecodeError, RecursionError):
        fault = _Fault()
    why = f": {fault.message[:200] or fault.code[:80]}" if fault.message or fault.code else ""
    if reply.status in (_UNAUTHORIZED, _FORBIDDEN):
        return RegistryDenied(f"{host} refuses{why}", **said)
    if reply.status == _NOT_FOUND:
        return ReferenceUnknown(f"{host} does not have it{why}", **said)
    if reply.status in _REDIRECTS:
        return RedirectRefused(f"{host} redirects more than {_MOST_REDIRECTS} times")
    return RegistryFailed(f"{host} answered {reply.status}{why}", **said)
