"""The host: the façade for embedding, the composition of the default rooms, the home's lock, socket and client."""

from __future__ import annotations

from remit.host.client import Client
from remit.host.connection import Connection, connect
from remit.host.facade import Facade
from remit.host.home import Home
from remit.host.kernel import Kernel
from remit.host.publishing import (
    check_registry,
    export_registry,
    pack_unit,
    publish_unit,
    registry_log,
    search_registry,
    serve_registry,
    withdraw_unit,
)
from remit.host.service import Service, ServiceOptions, new_token, open_service
from remit.host.tools import (
    authorize_corpus,
    build_unit,
    check_cases,
    check_policies,
    check_unit,
    format_policies,
    home_policies,
    init,
    inspect_file,
    lint_policies,
    read_journal,
    verify_journal,
)

__all__ = [
    "Client",
    "Connection",
    "Facade",
    "Home",
    "Kernel",
    "Service",
    "ServiceOptions",
    "authorize_corpus",
    "build_unit",
    "check_cases",
    "check_policies",
    "check_registry",
    "check_unit",
    "connect",
    "export_registry",
    "format_policies",
    "home_policies",
    "init",
    "inspect_file",
    "lint_policies",
    "new_token",
    "open_service",
    "pack_unit",
    "publish_unit",
    "read_journal",
    "registry_log",
    "search_registry",
    "serve_registry",
    "verify_journal",
    "withdraw_unit",
]
