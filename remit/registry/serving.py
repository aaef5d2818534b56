"""Running a web application of this room: one process, one socket, until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from remit.errors import RegistryUnreachable
from remit.registry.patience import patient

__all__ = ["run"]

_WAITING = 128
_SAME_TIME = 64
_PATIENCE_S = 10.0


def run(
    application: Starlette, host: str, port: int, ready: Callable[[str], None], *, patience: float = _PATIENCE_S
) -> None:
    """Serve until interrupted.

    :param port: 0 for any that is free
    :param ready: called with the address once it listens
    :param patience: seconds that the head of a request may take to arrive
    :raises RegistryUnreachable: if the port is taken
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's algorithm off only for sockets that are: 40 ms a request.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise RegistryUnreachable(f"{host}:{port}: {error.strerror}", remedy="choose another --port") from error
        listening.listen(_WAITING)
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            application,
            http=patient(patience),
            log_level="warning",
            access_log=False,
            lifespan="off",
            limit_concurrency=_SAME_TIME,
            timeout_keep_alive=10,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])
