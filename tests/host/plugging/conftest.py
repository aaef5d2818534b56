"""What the tests of plugins share."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def stuck():
    """An event for hooks to hang on; released at the end, so that no thread stays."""
    release = threading.Event()
    yield release
    release.set()
