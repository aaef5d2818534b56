"""Who is let in, and on whose behalf a request comes: its host, its token, its rate, before anything else of it."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from remit.errors import CrossSite, RequestInvalid, Unauthenticated
from remit.host import ServiceOptions
from remit.host.service import Tokens
from remit.kernel.model import Caller
from remit.plugins.http.limits import Rates
from remit.plugins.http.requests import Headers, caller_of, from_our_page, token_of

__all__ = ["Admission"]

_LONGEST_HOST = 300
"""A name of DNS has 253 characters at most, and a port five."""
_NOBODY = Caller(principal="nobody", client="http")


class Admission:
    """Admits the requests of one event loop."""

    def __init__(self, options: ServiceOptions) -> None:
        self._options = options
        self._tokens = Tokens(options.root, options.token)
        self._rates: Rates | None = None
        self._looked = False
        """Whether the tokens were read in this turn of the loop."""

    def admit(self, scope: Scope, headers: Headers, *, public: bool = False) -> Caller:
        """Who a request speaks for, once it may be answered at all.

        :param public: whether everybody may ask this
        :raises RequestInvalid: if it is for another host, or a header is not well formed
        :raises Unauthenticated: if no known token comes with it
        :raises CrossSite: if a browser sends it on behalf of another page
        :raises RateLimited: if too many came from this operator
        """
        self._refuse_strange_names(headers)
        if public:
            if not from_our_page(scope, headers):
                raise CrossSite("another page may not send this")
            return _NOBODY
        principal = self._principal(token_of(scope, headers))
        caller = caller_of(headers, principal)
        self._rates_of_the_loop().take(principal)
        return caller

    def _refuse_strange_names(self, headers: Headers) -> None:
        """A page of elsewhere that got its name to lead here (DNS rebinding) sends that name; an address is no name."""
        host = headers.get(b"host")
        if host is None:
            raise RequestInvalid("the request names no host")  # RFC 9112, 3.2
        options = self._options
        if len(host) > _LONGEST_HOST or not _is_ours(host, options.host, options.names):
            raise RequestInvalid("the service is not known by this name", remedy="serve with --name HOST")

    def _principal(self, token: str) -> str:
        """Whose token it is.

        The file that says so is looked at once in each turn of the loop: what one turn takes up had all arrived before
        it began, so whatever is sent after a token was taken out is refused.
        """
        if not self._looked:
            asyncio.get_running_loop().call_soon(self._look_again)
            self._tokens.refresh()
            self._looked = True
        principal = self._tokens.known(token)
        if principal is None:
            raise Unauthenticated("this home knows no such token")
        return principal

    def _look_again(self) -> None:
        self._looked = False

    def _rates_of_the_loop(self) -> Rates:
        if self._rates is None:
            self._rates = Rates(self._options.rate, asyncio.get_running_loop().time)
        return self._rates


@lru_cache(maxsize=256)
def _is_ours(host: bytes, own: str, names: tuple[str, ...]) -> bool:
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""  # ValueError: a bracket that is not closed
        if name not in {"localhost", own, *names}:
            ip_address(name)
    except ValueError:
        return False
    return True
