"""``python -m benchmarks.serving KIND FOLDER``: what :mod:`benchmarks.http` asks, in a process of its own.

Prints its address, and for each line that it is sent the seconds of processor time that it has used; serves until its
standard input ends.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

__all__ = ["HISTORY", "PEERS", "SKIPPED", "TOKEN"]

TOKEN = "the-token-of-the-benchmarks"  # noqa: S105 - of a server that lives as long as a measurement

HISTORY = 100_000
"""Events in the journal of the home with a history."""
_CALLS = 3_000
SKIPPED = _CALLS
"""Records before them, at least."""
_TOGETHER = 1_000


def _answer(stop: Callable[[], None]) -> None:
    def listen() -> None:
        for _ in sys.stdin:
            print(time.process_time(), flush=True)
        stop()

    threading.Thread(target=listen, daemon=True).start()


def remit(folder: Path) -> None:
    """The service of a kernel, which runs guests on its loop, with a unit whose instance is kept."""
    from benchmarks.kernel import bench_kernel  # noqa: PLC0415 - the peer does not pay for it

    _serve_kernel(folder, partial(bench_kernel, signals="manage", reuse="kept"))


def fresh(folder: Path) -> None:
    """The same with a fresh instance for every call."""
    from benchmarks.kernel import bench_kernel  # noqa: PLC0415 - as above

    _serve_kernel(folder, partial(bench_kernel, signals="manage"))


def threads(folder: Path) -> None:
    """The same with a thread for every call, as where signals are the embedding program's."""
    from benchmarks.kernel import bench_kernel  # noqa: PLC0415 - as above

    _serve_kernel(folder, partial(bench_kernel, signals="leave"))


def _serve_kernel(folder: Path, opened: Callable[..., object]) -> None:
    from remit.host import Kernel, ServiceOptions, open_service  # noqa: PLC0415 - as above

    with ExitStack() as resources:
        kernel = opened(resources, folder)
        assert isinstance(kernel, Kernel)
        options = ServiceOptions(root=folder / "home", port=0, token=TOKEN, rate=1e9)
        service = open_service(kernel, options)
        service.bind()
        print(service.url, flush=True)
        _answer(service.stop)
        service.run()


def history(folder: Path) -> None:
    """The service of a home with a journal of 100,000 events and some thousand calls."""
    from benchmarks.kernel import bench_kernel  # noqa: PLC0415 - as above

    def opened(resources: ExitStack, root: Path) -> object:
        kernel = bench_kernel(resources, root, signals="leave")
        for number in range(_CALLS):
            kernel.call("bench/echo:echo", {"text": f"{number}"}, durability="queued")
        for start in range(0, HISTORY, _TOGETHER):
            kernel.emit_all([("bench.measured", {"text": "x" * 88, "n": start + n}) for n in range(_TOGETHER)])
        return kernel

    _serve_kernel(folder, opened)


def starlette(folder: Path) -> None:
    """The same framework and server with nothing behind: JSON in, JSON out."""
    del folder
    import socket  # noqa: PLC0415 - as above

    import msgspec  # noqa: PLC0415 - as above
    import uvicorn  # noqa: PLC0415 - as above
    from starlette.applications import Starlette  # noqa: PLC0415 - as above
    from starlette.requests import Request  # noqa: PLC0415 - as above
    from starlette.responses import Response  # noqa: PLC0415 - as above
    from starlette.routing import Route  # noqa: PLC0415 - as above

    async def echo(request: Request) -> Response:
        value = msgspec.json.decode(await request.body())
        return Response(msgspec.json.encode(value), media_type="application/json")

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/actions/{publisher}/{name}/{action}", echo, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none"))

    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    _answer(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


PEERS = ("remit", "fresh", "threads", "starlette")
SERVERS = {"remit": remit, "fresh": fresh, "threads": threads, "starlette": starlette, "history": history}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](Path(sys.argv[2]))
