"""The documents' commands share compiled code: what they show is not the compiler."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _shared(compiled_once):
    """No test below looks at how code is compiled."""
