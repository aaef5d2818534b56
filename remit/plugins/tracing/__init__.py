"""Tracing: the spans of episodes, sent to an OpenTelemetry collector where one is configured (OTLP over HTTP).

The journal stays the record: what is sent is a function of it (:mod:`remit.host.models.spans`), under the same ids
every time. Importing this loads nothing of OpenTelemetry: the hook does, when there is somewhere to send to.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from remit.kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from remit.host import Kernel

__all__ = ["remit_startup"]

_ENVIRONMENT = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@hookimpl
def remit_startup(kernel: Kernel) -> None:
    """Begin to export, where ``[tracing]`` or the environment names a collector and the extra ``otel`` is installed."""
    choice = kernel.config.tracing
    if not choice.endpoint and not any(os.environ.get(name) for name in _ENVIRONMENT):
        return
    if find_spec("opentelemetry.exporter") is None:
        return
    from remit.plugins.tracing.exporting import Exporting  # noqa: PLC0415 - loads OpenTelemetry

    Exporting(kernel, choice).start()
