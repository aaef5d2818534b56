"""Files that a browser loads: our own, and vendored ones whose checksums stand beside them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from remit.errors import RouteUnknown

__all__ = ["FILES", "file"]

FILES = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "cytoscape.min.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "uPlot.iife.min.js": "text/javascript",
    "uPlot.min.css": "text/css",
}


@cache
def _read(name: str) -> tuple[bytes, str]:
    data = (Path(__file__).parent / "static" / name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def file(request: Request) -> Response:
    """One file by its name; the table is the whole of what there is.

    :raises RouteUnknown: for any other name
    """
    name = request.path_params["name"]
    if name not in FILES:
        raise RouteUnknown("there is no such file")
    data, tag = _read(name)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=FILES[name], headers=headers)
