"""The registry's pages for people: search, and one page a unit. No script runs on them, and everything is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from remit.errors import RemitError
from remit.registry.bundle import MAX_FILE
from remit.registry.index import Offer, fold, read_log, search
from remit.registry.oci import MAX_MANIFEST, TITLE, read_manifest
from remit.registry.store import Store

__all__ = ["routes"]

_LONGEST_QUERY = 200
_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; }
code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.withdrawn { text-decoration: line-through; }
"""
_POLICY = "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "content-security-policy": _POLICY.format(base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_TEMPLATES = {
    "page": """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}Units{% endblock %}</title><style>"""
    + _STYLE
    + """</style>
<header><p><a href="/">Units</a></header><main>{% block main %}{% endblock %}</main></html>""",
    "search": """{% extends "page" %}{% block main %}<h1>Units</h1>
<form role="search"><label for="q">Search</label> <input id="q" name="q" type="search" value="{{ words }}" autofocus>
<button>Search</button></form>
{% if offers %}<table><thead><tr><th scope="col">Unit<th scope="col">Version<th scope="col">What it is<tbody>
{% for offer in offers %}<tr><td><a href="/units/{{ offer.id }}">{{ offer.id }}</a><td>{{ offer.best.version }}
<td>{{ offer.title }}{% endfor %}</table>{% else %}<p>No unit matches.{% endif %}{% endblock %}""",
    "unit": """{% extends "page" %}{% block title %}{{ offer.id }}{% endblock %}{% block main %}<h1>{{ offer.id }}</h1>
<p>{{ offer.title }}{% if offer.license %} · {{ offer.license }}{% endif %}
<pre>remit unit install oci://{{ host }}/{{ offer.id }}@{{ offer.best.version }}</pre>
<h2>Versions</h2><table><thead><tr><th scope="col">Version<th scope="col">Digest<th scope="col">Published by<tbody>
{% for release in offer.releases %}<tr><td{% if release.withdrawn %} class="withdrawn"{% endif %}>{{ release.version }}
{% if release.withdrawn %}{{ release.withdrawn }}: {{ release.reason }}{% endif %}
<td><code>{{ release.digest }}</code><td>{{ release.by }}{% endfor %}</table>
{% if readme %}<h2>Read me</h2><pre>{{ readme }}</pre>{% endif %}{% endblock %}""",
    "none": """{% extends "page" %}{% block main %}<h1>There is no such unit</h1>{% endblock %}""",
}


def routes(store: Store, may_read: Callable[[Request], str]) -> list[Route]:
    """The pages of a registry; ``may_read`` raises where somebody may not."""
    templates = jinja2.Environment(loader=jinja2.DictLoader(_TEMPLATES), autoescape=True)
    offers = _Offers(store)

    def page(name: str, status: int = 200, **values: Any) -> Response:
        text = templates.get_template(name).render(**values)
        return HTMLResponse(text, status, headers=_HEADERS)

    def find(request: Request) -> Response:
        may_read(request)
        words = request.query_params.get("q", "")[:_LONGEST_QUERY]
        found = search(offers.now().values(), words)
        if request.url.path.endswith(".json"):
            return JSONResponse(
                {"units": [{"id": item.id, "version": item.best.version, "title": item.title} for item in found]}
            )
        return page("search", words=words, offers=found)

    def unit(request: Request) -> Response:
        may_read(request)
        offer = offers.now().get(request.path_params["name"])
        if offer is None:
            return page("none", 404)
        return page("unit", offer=offer, host=request.url.netloc, readme=_readme(store, offer))

    return [Route("/", find), Route("/search.json", find), Route("/units/{name:path}", unit)]


class _Offers:
    """The units as the log has them, read again when it grew."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[int, dict[str, Offer]] = (-1, {})

    def now(self) -> dict[str, Offer]:
        """The units by id."""
        log = self._store.log_path
        size = log.stat().st_size if log.exists() else 0
        if self._known[0] != size:
            self._known = (size, fold(read_log(log.read_bytes() if size else b"")))
        return self._known[1]


def _readme(store: Store, offer: Offer) -> str:
    try:
        layers = read_manifest(store.read(offer.best.digest, MAX_MANIFEST)).layers
        named = {layer.annotations.get(TITLE): layer.digest for layer in layers}
        return store.read(named["README.md"], MAX_FILE).decode("utf-8", "replace")
    except (KeyError, RemitError):
        return ""
