"""Resources: read models, documents and traces under ``remit://``, read through the façade like everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from mcp import types
from pydantic import AnyUrl

from remit.errors import Denied, RequestInvalid, RouteUnknown
from remit.host import Caller, Facade

__all__ = ["TEMPLATES", "listed", "read"]

_JSON = "application/json"
_MOST_DIGITS = 15
TEMPLATES: tuple[types.ResourceTemplate, ...] = (
    types.ResourceTemplate(
        name="state",
        uriTemplate="remit://state/{model}{?at}",
        description="A read model, now or as it was right after record `at`.",
        mimeType=_JSON,
    ),
    types.ResourceTemplate(
        name="document",
        uriTemplate="remit://document/{name}{?generation}",
        description="An effective document, of the active generation or another.",
        mimeType=_JSON,
    ),
    types.ResourceTemplate(
        name="trace",
        uriTemplate="remit://trace/{episode}",
        description="The trace of an episode by its id, the number of one of its records, or `last`.",
        mimeType=_JSON,
    ),
)


def listed(facade: Facade, caller: Caller) -> list[types.Resource]:
    """What the caller may read; nothing, where that is nothing."""
    try:
        models, documents = facade.models(caller=caller), facade.documents(caller=caller)
    except Denied:
        return []
    return [_resource("state", name, "read model") for name in models] + [
        _resource("document", name, "document") for name in documents
    ]


def _resource(kind: str, name: str, words: str) -> types.Resource:
    return types.Resource(name=name, uri=AnyUrl(f"remit://{kind}/{name}"), title=f"{words} {name}", mimeType=_JSON)


def read(facade: Facade, uri: str, caller: Caller) -> str:
    """A resource as JSON text.

    :raises RouteUnknown: if nothing has this address
    :raises RequestInvalid: if a number in it is none
    """
    try:
        split = urlsplit(uri)
        query = {key: values[-1] for key, values in parse_qs(split.query, max_num_fields=8).items()}
    except ValueError as error:
        raise RequestInvalid("that is no address of a resource", remedy="list the resources") from error
    name = unquote(split.path.removeprefix("/"))
    reader = _READERS.get(split.netloc)
    if split.scheme != "remit" or reader is None or not name:
        raise RouteUnknown(f"there is no resource {uri[:200]!r}", remedy="list the resources and their templates")
    return msgspec.json.encode(reader(facade, name, query, caller), enc_hook=str).decode()


def _state(facade: Facade, name: str, query: dict[str, str], caller: Caller) -> Any:
    return facade.state(name, at=_number(query, "at"), caller=caller)


def _document(facade: Facade, name: str, query: dict[str, str], caller: Caller) -> Any:
    return facade.document(name, generation=_number(query, "generation"), caller=caller)


def _trace(facade: Facade, name: str, _query: dict[str, str], caller: Caller) -> Any:
    return facade.trace(name, caller=caller)


def _number(query: dict[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS):
        raise RequestInvalid(f"{name} is a whole number", remedy="list the templates of the resources")
    return int(value)


_READERS: dict[str, Callable[[Facade, str, dict[str, str], Caller], Any]] = {
    "state": _state,
    "document": _document,
    "trace": _trace,
}
