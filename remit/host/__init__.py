"""The host: the façade for embedding, the composition of the default rooms, the home's lock, socket and client."""

from __future__ import annotations

from remit.host.agents import AgentBridge, agent_bridge
from remit.host.client import Client
from remit.host.connection import Connection, connect
from remit.host.delivery import Feed, Heard, Job, Jobs, Timer
from remit.host.doctoring import examine_files
from remit.host.facade import Facade
from remit.host.home import Home
from remit.host.kernel import Kernel
from remit.host.plugging.commands import plugin_commands
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
from remit.host.scaffold import new_plugin, new_unit
from remit.host.service import ServiceOptions, WebService, new_token, open_service
from remit.host.spans import Span, Trace
from remit.host.tools import (
    authorize_corpus,
    build_unit,
    check_cases,
    check_policies,
    check_unit,
    draft_manifest,
    format_policies,
    home_policies,
    init,
    inspect_file,
    lint_policies,
    read_journal,
    verify_journal,
)
from remit.host.trying import built_unit, try_unit
from remit.host.views import EpisodeView, Examined, LogLine
from remit.host.watching import StateChange, changes_of, watch_state
from remit.kernel.model import Caller

__all__ = [
    "AgentBridge",
    "Caller",
    "Client",
    "Connection",
    "EpisodeView",
    "Examined",
    "Facade",
    "Feed",
    "Heard",
    "Home",
    "Job",
    "Jobs",
    "Kernel",
    "LogLine",
    "ServiceOptions",
    "Span",
    "StateChange",
    "Timer",
    "Trace",
    "WebService",
    "agent_bridge",
    "authorize_corpus",
    "build_unit",
    "built_unit",
    "changes_of",
    "check_cases",
    "check_policies",
    "check_registry",
    "check_unit",
    "connect",
    "draft_manifest",
    "examine_files",
    "export_registry",
    "format_policies",
    "home_policies",
    "init",
    "inspect_file",
    "lint_policies",
    "new_plugin",
    "new_token",
    "new_unit",
    "open_service",
    "pack_unit",
    "plugin_commands",
    "publish_unit",
    "read_journal",
    "registry_log",
    "search_registry",
    "serve_registry",
    "try_unit",
    "verify_journal",
    "watch_state",
    "withdraw_unit",
]
