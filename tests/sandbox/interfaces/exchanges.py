"""What goes over the wire in tests of ``http.fetch``: a request as guests write it, a response as servers do."""

from __future__ import annotations


def fetch(url, method="GET", headers=(), body="", encoding="utf8", timeout=0):
    fields = {"method": method, "url": url, "headers": list(headers), "body": body, "body-encoding": encoding}
    return fields | {"timeout-ms": timeout}


def response(body=b"ok", status=b"200 OK", *headers):
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
