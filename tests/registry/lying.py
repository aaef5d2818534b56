"""A registry of prepared answers, for what a registry may do wrong."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from remit.registry import Registry
from remit.registry.oci import IMAGE_MANIFEST, sha256

NAME = "acme/redact"


PLAIN = {"content-type": "application/octet-stream"}


class Liar:
    """A registry of prepared answers: path → (status, headers, body), or a function of the handler."""

    def __init__(self, bundle):
        self.answers = {f"/v2/{NAME}/tags/list": (200, PLAIN, json.dumps({"tags": ["1.2.0"]}).encode())}
        self.seen = []
        self.manifest(bundle.oci_manifest)
        for data in bundle.files.values():
            self.answers[f"/v2/{NAME}/blobs/{sha256(data)}"] = (200, PLAIN, data)
        self.answers[f"/v2/{NAME}/referrers/{bundle.digest}"] = (200, PLAIN, b'{"schemaVersion":2,"manifests":[]}')

    def manifest(self, data, **headers):
        self.answers[f"/v2/{NAME}/manifests/1.2.0"] = (200, {"content-type": IMAGE_MANIFEST} | headers, data)
        self.answers[f"/v2/{NAME}/referrers/{sha256(data)}"] = (200, PLAIN, b'{"schemaVersion":2,"manifests":[]}')


@contextmanager
def listening(answers, seen):
    """The registry that gives these answers on loopback, and notes each path that is asked for with its credentials."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            seen.append((self.path, self.headers.get("authorization")))
            answer = answers.get(self.path.partition("?")[0], (404, PLAIN, b""))
            if callable(answer):
                answer(self)
                return
            status, headers, body = answer
            self.send_response(status)
            for key, value in ({"content-length": str(len(body))} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
            if headers.get("connection") == "close":
                self.close_connection = True

        do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # the client hangs up on purpose

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Registry(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wasm(bundle):
    return f"/v2/{NAME}/blobs/{sha256(bundle.files['redact.wasm'])}"


def cut(data, length):
    """An answer that says it is so long, and ends after the data."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("content-length", str(length))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def endless(handler):
    """An answer that never ends, as fast as it is taken."""
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    while True:  # until whoever asked hangs up
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def dripping(part, head=b""):
    """An answer that begins with the head and goes on with the part, again and again, a little at a time."""

    def answer(handler):
        handler.wfile.write(head)
        while True:  # until whoever asked hangs up
            handler.wfile.write(part)
            time.sleep(0.01)

    return answer
