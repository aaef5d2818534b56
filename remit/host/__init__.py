"""The host: the façade for embedding, the composition of the default rooms, the home's lock, socket and client."""

from __future__ import annotations

from remit.host.client import Client
from remit.host.connection import Connection, connect
from remit.host.facade import Facade
from remit.host.home import Home
from remit.host.kernel import Kernel
from remit.host.plugging.commands import plugin_commands
from remit.host.scaffold import new_plugin, new_unit
from remit.host.service import ServiceOptions, WebService, new_token, open_service
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
from remit.host.trying import built_unit, try_unit

__all__ = [
    "Client",
    "Connection",
    "Facade",
    "Home",
    "Kernel",
    "ServiceOptions",
    "WebService",
    "authorize_corpus",
    "build_unit",
    "built_unit",
    "check_cases",
    "check_policies",
    "check_unit",
    "connect",
    "format_policies",
    "home_policies",
    "init",
    "inspect_file",
    "lint_policies",
    "new_plugin",
    "new_token",
    "new_unit",
    "open_service",
    "plugin_commands",
    "read_journal",
    "try_unit",
    "verify_journal",
]
