"""A home that is served on a free port of loopback, by threads of the test's own process."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from remit.host import Kernel, ServiceOptions, open_service

OWNER = "remit_owner-token-of-the-tests"


@contextmanager
def serving(kernel, root, **options):
    """The service of a kernel while the block runs."""
    with running(open_service(kernel, ServiceOptions(root=root, port=0, token=OWNER, **options))) as service:
        yield service


@contextmanager
def running(service):
    """A service while the block runs."""
    service.bind()
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield service
    finally:
        service.stop()
        thread.join()


@pytest.fixture
def served(active_home):
    """The URL of a served home with echo, counter and loop active, and operators of each role."""
    with Kernel.open(active_home, program="tests") as kernel, serving(kernel, active_home) as service:
        yield service.url


@pytest.fixture
def client(served):
    """A client with the owner's token."""
    with httpx.Client(base_url=served, headers={"authorization": f"Bearer {OWNER}"}, timeout=20) as http:
        yield http


@pytest.fixture
def speak():
    """Gives a client with a token: ``speak(url, token)``."""
    with ExitStack() as clients:

        def make(url, token):
            headers = {"authorization": f"Bearer {token}"}
            return clients.enter_context(httpx.Client(base_url=url, headers=headers, timeout=20))

        yield make
