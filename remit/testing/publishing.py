"""A trust domain and a registry for one test: the real ones, in a folder and on loopback. Needs the extra ``http``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from remit.host import Identity, SignAs, init_domain, publish_unit, sign_unit

if TYPE_CHECKING:
    from remit.host import Kernel

__all__ = ["RunningRegistry", "TrustDomain", "running_registry"]

_NAME = "trust.example.com"
_WAIT_S = 30.0


class TrustDomain:
    """A complete local Sigstore.

    :param folder: where to make it
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuer = init_domain(folder, _NAME).issuer

    @property
    def trusted_root(self) -> str:
        """What whoever trusts the domain imports."""
        return (self.folder / "trusted_root.json").read_text("utf-8")

    def identity(self, subject: str) -> Identity:
        """Somebody of the domain."""
        return Identity(subject, self.issuer)

    def sign_as(self, subject: str) -> SignAs:
        """How somebody of the domain signs."""
        return SignAs(domain=self.folder, identity=subject)

    def sign(self, unit: Path | str, subject: str = "ann@example.com") -> Path:
        """Sign a built unit's folder as a ``.unit`` file beside the domain, or such a file in place; gives the file."""
        target = None if Path(unit).is_file() else self.folder.parent
        return Path(sign_unit(unit, target, self.sign_as(subject)).file)

    def trusted_by(self, kernel: Kernel, publisher: str = "", subject: str = "") -> None:
        """Have a home trust the domain; with a publisher, for what this somebody signs."""
        identity = self.identity(subject) if subject else None
        kernel.trust_import(self.trusted_root, publisher=publisher, identity=identity)


class RunningRegistry:
    """Remit's own registry on loopback.

    :param folder: what it keeps
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.reference = f"oci://127.0.0.1:{port}"
        """What ``remit unit publish`` takes."""

    def publish(self, unit: Path | str, sign_as: SignAs | None = None) -> str:
        """Publish a built unit; gives the reference that installs it."""
        return publish_unit(self.reference, unit, sign_as=sign_as).reference


@contextmanager
def running_registry(folder: Path) -> Iterator[RunningRegistry]:
    """Serve a folder as a registry while the context lasts.

    :raises TimeoutError: if it does not come up, or does not end
    """
    import uvicorn  # noqa: PLC0415 - only who serves needs the web server

    from remit.registry import Store  # noqa: PLC0415 - beside it
    from remit.registry.server import application  # noqa: PLC0415 - beside it

    up = threading.Event()

    class _Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            up.set()

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(application(Store(folder)), log_level="critical", lifespan="off", ws="none")
        server = _Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            if not up.wait(_WAIT_S):
                raise TimeoutError("the registry did not come up")
            yield RunningRegistry(folder, listening.getsockname()[1])
        finally:
            server.should_exit = server.force_exit = True
            thread.join(_WAIT_S)
