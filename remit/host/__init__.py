"""The host: the façade for embedding, the composition of the default rooms, the home's lock, socket and client."""

from __future__ import annotations

from remit.host.agents import AgentBridge, RemoteTool, agent_bridge
from remit.host.authoring.developing import Swap, Told, develop, workshop
from remit.host.authoring.measuring import measure_unit
from remit.host.authoring.publishing import (
    check_registry,
    export_registry,
    pack_unit,
    publish_unit,
    registry_log,
    search_registry,
    serve_registry,
    withdraw_unit,
)
from remit.host.authoring.scaffold import new_plugin, new_unit
from remit.host.authoring.signing import SignAs, sign_unit, verify_unit
from remit.host.authoring.tools import (
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
    mend_unit,
    permit_native,
    read_journal,
    verify_journal,
)
from remit.host.authoring.trusting import (
    ROTATABLE,
    DomainView,
    domain_root,
    identity_token,
    init_domain,
    public_instance,
    rotate_domain,
    serve_domain,
    show_domain,
    verify_bundle,
)
from remit.host.authoring.trying import built_unit, try_unit
from remit.host.authoring.workbench import lend_code
from remit.host.connection import Connection, connect
from remit.host.delivery import Feed, Heard, Job, Jobs, Timer
from remit.host.facade.conversing import Conversation, Gathered, Tender
from remit.host.facade.facade import Facade
from remit.host.facade.views import EpisodeView, Examined, LogLine, PromptText, PromptView, StateAt
from remit.host.facade.watching import StateChange, changes_of, watch_state, whole
from remit.host.home.backup import restore
from remit.host.home.home import Home
from remit.host.home.upgrades import upgrade_home
from remit.host.kernel import Kernel
from remit.host.models.spans import Span, Trace, trace_of
from remit.host.operations.doctoring import examine_files
from remit.host.plugging.commands import plugin_commands
from remit.host.service import Offers, ServiceOptions, WebService, new_token, open_service
from remit.host.wire.client import Client
from remit.kernel.model import Caller
from remit.registry.trust import Identity
from remit.registry.trust.changes import TrustView
from remit.registry.trust.naming import Rotatable

__all__ = [
    "ROTATABLE",
    "AgentBridge",
    "Caller",
    "Client",
    "Connection",
    "Conversation",
    "DomainView",
    "EpisodeView",
    "Examined",
    "Facade",
    "Feed",
    "Gathered",
    "Heard",
    "Home",
    "Identity",
    "Job",
    "Jobs",
    "Kernel",
    "LogLine",
    "Offers",
    "PromptText",
    "PromptView",
    "RemoteTool",
    "Rotatable",
    "ServiceOptions",
    "SignAs",
    "Span",
    "StateAt",
    "StateChange",
    "Swap",
    "Tender",
    "Timer",
    "Told",
    "Trace",
    "TrustView",
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
    "develop",
    "domain_root",
    "draft_manifest",
    "examine_files",
    "export_registry",
    "format_policies",
    "home_policies",
    "identity_token",
    "init",
    "init_domain",
    "inspect_file",
    "lend_code",
    "lint_policies",
    "measure_unit",
    "mend_unit",
    "new_plugin",
    "new_token",
    "new_unit",
    "open_service",
    "pack_unit",
    "permit_native",
    "plugin_commands",
    "public_instance",
    "publish_unit",
    "read_journal",
    "registry_log",
    "restore",
    "rotate_domain",
    "search_registry",
    "serve_domain",
    "serve_registry",
    "show_domain",
    "sign_unit",
    "trace_of",
    "try_unit",
    "upgrade_home",
    "verify_bundle",
    "verify_journal",
    "verify_unit",
    "watch_state",
    "whole",
    "withdraw_unit",
    "workshop",
]
