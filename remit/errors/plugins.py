"""Errors of plugins: RM-90xx."""

from __future__ import annotations

from remit.errors.base import RemitError


class PluginError(RemitError, code="RM-9000"):
    """A plugin cannot be used."""


class PluginFailed(
    PluginError,
    code="RM-9001",
    remedy="disable the plugin in remit.toml, or report the fault to its author",
):
    """A hook of a plugin raised; ``details`` names plugin and hook."""


class AdapterMissing(PluginError, code="RM-9002", remedy="enable the plugin that provides it"):
    """A port has no adapter."""


class PluginUnknown(PluginError, code="RM-9003", remedy="run 'remit plugin list'"):
    """There is no plugin with that name that could be managed."""


class PluginBlocked(
    PluginError,
    code="RM-9004",
    remedy="take it off [plugin] disable in remit.toml or REMIT_PLUGINS_DISABLE, and start again",
):
    """A plugin is kept off by configuration, which no command overrides."""


class AgentsMissing(PluginError, code="RM-9010", remedy="install it with pip install 'remit[mcp]'"):
    """What speaks the protocol of agents is not installed."""


class AgentServerUnknown(PluginError, code="RM-9011", remedy="declare it in remit.toml as [mcp.NAME]"):
    """``remit.toml`` names no such server of tools."""


class AgentServerFailed(PluginError, code="RM-9012", remedy="start it by hand and look at what it says"):
    """A server of tools cannot be reached, or does not answer as the protocol wants, within its bounds."""


class ToolDrifted(
    PluginError,
    code="RM-9013",
    remedy="look at what it says now with 'remit mcp pin NAME', and pin that in remit.toml if it is wanted",
):
    """A server describes a tool differently from what was pinned: it is not called."""
