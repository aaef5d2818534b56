"""The read models that span rooms, as the built-in plugin that offers them."""

from __future__ import annotations

from typing import Any

from remit.host.models.activity import activity
from remit.host.models.calls import actions
from remit.host.models.documents import documents, slots
from remit.host.models.episodes import episodes
from remit.host.models.health import health
from remit.host.models.topology import topology
from remit.journal import Fold
from remit.kernel.hookspecs import hookimpl

__all__ = ["remit_read_models"]


@hookimpl
def remit_read_models() -> list[Fold[Any]]:
    """``actions``, ``activity``, ``documents``, ``episodes``, ``health``, ``slots`` and ``topology``."""
    return [actions(), activity(), documents(), episodes(), health(), slots(), topology()]
