"""Every verb of the command line: where it is implemented and what it does in a line.

The table is all that ``remit --help`` needs, so that help loads nothing heavy. It holds no behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["GROUPS", "TOP", "Verb"]


class Verb(NamedTuple):
    """One verb: a module below ``remit.cli.commands``, the command's name in it, and its line in the help."""

    module: str
    attribute: str
    line: str


TOP: Mapping[str, Verb] = {
    "init": Verb("home", "init", "Make a home: remit.toml, policies and an empty journal."),
    "demo": Verb("demo", "demo", "Show the main job in a home of its own, checking every step."),
    "call": Verb("call", "call", "Call an action of the active generation."),
    "list": Verb("call", "list_actions", "List the actions that can be called, or show one's schemas."),
    "doctor": Verb("doctor", "doctor", "Look at everything about a home that can go wrong."),
    "emit": Verb("events", "emit", "Say that something happened."),
    "events": Verb("events", "events", "Show what happened, and follow it."),
    "logs": Verb("insight", "logs", "Show what units logged, with what failed or was refused."),
    "serve": Verb("serve", "serve", "Serve the home over HTTP: state, events, actions."),
    "state": Verb("events", "state", "Show a read model, now or as of a record."),
    "trace": Verb("insight", "trace", "Draw the trace of an episode: calls, requests, refusals, events."),
}

GROUPS: Mapping[str, tuple[str, Mapping[str, Verb]]] = {
    "unit": (
        "Install units; plan, apply and revert what is active.",
        {
            "new": Verb("authoring", "new", "Make a unit's project that passes its own tests."),
            "check": Verb("authoring", "check", "Check a unit's folder and show every fault."),
            "build": Verb("authoring", "build", "Build a unit's artifact from its source, and compile it."),
            "test": Verb("authoring", "test", "Run a unit's own tests: the manifest's, and pytest."),
            "dev": Verb("workshop", "dev", "Build and swap in every change of a unit, and show what it does."),
            "bench": Verb("workshop", "bench", "Measure a unit's action: time, fuel, memory."),
            "inspect": Verb("authoring", "inspect", "Show what a component imports, exports and would need."),
            "pack": Verb("publishing", "pack", "Write a unit as one file."),
            "sign": Verb("signing", "sign", "Sign a unit's release."),
            "verify": Verb("signing", "verify", "Verify who signed a unit."),
            "publish": Verb("publishing", "publish", "Send a unit to a registry."),
            "search": Verb("publishing", "search", "Search a registry for units."),
            "info": Verb("publishing", "info", "Show what a registry has of one unit."),
            "install": Verb("units", "install", "Admit units; nothing active changes."),
            "uninstall": Verb("units", "uninstall", "Forget an installed version of a unit."),
            "plan": Verb("changes", "plan", "Show what would change, and change nothing."),
            "apply": Verb("changes", "apply", "Make a plan's generation active, whole."),
            "promote": Verb("changes", "promote", "Make a version on trial the active one, or fill a slot."),
            "pin": Verb("changes", "pin", "Keep a unit at the version that runs, or at another."),
            "refresh": Verb("changes", "refresh", "Plan a new run of the transforms, whose context may have changed."),
            "revert": Verb("changes", "revert", "Go back: the last change, a generation or one unit."),
            "upgrade": Verb("supply", "upgrade", "Lock and admit the best versions that the ranges allow."),
            "sync": Verb("supply", "sync", "Lock and admit what is wanted, and follow what was withdrawn."),
            "gc": Verb("units", "gc", "Forget superseded versions, and remove what nobody needs."),
            "list": Verb("units", "list_units", "List the installed units, and who fills the slots of the host."),
            "show": Verb("units", "show", "Show what is known of one unit, or of a generation."),
            "history": Verb("units", "history", "List the generations."),
            "diff": Verb("units", "diff", "Show what differs between two generations."),
        },
    ),
    "document": (
        "Look at the documents that units patch.",
        {
            "show": Verb("documents", "show", "Show an effective document."),
            "diff": Verb("documents", "diff", "Show what differs in a document between two generations."),
            "blame": Verb("documents", "blame", "Show which unit set each value, and since when."),
        },
    ),
    "policy": (
        "Look after the policies that decide.",
        {
            "check": Verb("authority", "check_policy", "Check the policies and show every finding."),
            "lint": Verb("drafts", "lint", "Look for what Cedar's checks do not say."),
            "fmt": Verb("drafts", "fmt", "Lay policy files out as Cedar does."),
            "validate": Verb("drafts", "validate", "Check policy files against the schema."),
            "test": Verb("drafts", "test", "Run tests of policies."),
            "explain": Verb("policy", "explain", "Show why a decision comes out as it does."),
            "diff": Verb("policy", "diff", "Show what differs from the set in force."),
            "what-if": Verb("policy", "what_if", "Decide the journal's decisions again under a candidate."),
            "shadow": Verb("policy", "shadow", "Run a candidate beside the set in force."),
            "publish": Verb("policy", "publish", "Put a candidate in force."),
            "rollback": Verb("policy", "rollback", "Put an earlier set in force again."),
            "history": Verb("policy", "history", "List the sets that were in force."),
            "authorize": Verb("drafts", "authorize", "Answer requests over any policies as plain Cedar."),
            "posture": Verb("policy", "posture", "Show the posture, or change it."),
        },
    ),
    "lease": (
        "See and revoke what units may do.",
        {
            "list": Verb("authority", "list_leases", "List the grants with their leases and budgets."),
            "show": Verb("leases", "show", "Show everything about one grant."),
            "request": Verb("leases", "request", "Ask for what a unit's grant waits for."),
            "approve": Verb("leases", "approve", "Say yes to a question."),
            "deny": Verb("leases", "deny", "Say no to a question, for good."),
            "renew": Verb("leases", "renew", "Have leases decided again; end a quarantine."),
            "revoke": Verb("leases", "revoke", "Revoke grants; put a publisher in quarantine."),
            "why": Verb("leases", "why", "Show why a unit may or may not do something."),
        },
    ),
    "egress": (
        "See where units may reach, and where they did.",
        {
            "preview": Verb("egress", "preview", "Show what an HTTP request of a unit would meet, without connecting."),
            "list": Verb(
                "egress", "list_egress", "List what units did outside: requests and file writes, allowed and denied."
            ),
        },
    ),
    "trust": (
        "Say whom to trust; keep a trust domain; verify signatures.",
        {
            "init": Verb("trust", "init", "Make a trust domain: a complete Sigstore of one's own."),
            "show": Verb("trust", "show", "Show whom the home trusts, or what a trust domain is."),
            "serve": Verb("trust", "serve", "Serve a trust domain to this machine, for any Sigstore client."),
            "import": Verb("trust", "import_trust", "Have the home trust somebody."),
            "rotate": Verb("trust", "rotate", "Make a new key for a part of a trust domain."),
            "retire": Verb("trust", "retire", "Have the home trust somebody no longer."),
            "verify-bundle": Verb("trust", "verify_bundle", "Verify a Sigstore bundle, anybody's."),
        },
    ),
    "registry": (
        "Keep a registry of units.",
        {
            "serve": Verb("registry", "serve", "Serve a folder as an OCI registry, with pages to read."),
            "export": Verb("registry", "export", "Write a registry as files for any web server."),
            "check": Verb("registry", "check_registry", "Check a registry's folder, and mend its list."),
            "yank": Verb("registry", "yank", "Withdraw a version."),
            "log": Verb("registry", "log", "List what was published and withdrawn."),
        },
    ),
    "plugin": (
        "See, make and switch the plugins of the kernel.",
        {
            "list": Verb("plugins", "list_plugins", "List the plugins: where from, what for, at what cost."),
            "new": Verb("plugins", "new", "Make a plugin's project, with tests."),
            "enable": Verb("plugins", "enable", "Take a plugin back into use."),
            "disable": Verb("plugins", "disable", "Take a plugin out of use, now and after a restart."),
        },
    ),
    "mcp": (
        "Speak with agents, in the Model Context Protocol.",
        {
            "serve": Verb("agents", "serve", "Offer the home's actions as tools to the program that starts this."),
            "pin": Verb("agents", "pin", "Show the tools of another server with the digests that pin them."),
        },
    ),
    "journal": (
        "Read and verify the record of everything, whether or not a kernel runs.",
        {
            "verify": Verb("journal", "verify", "Check every record's place in the chain."),
            "tail": Verb("journal", "tail", "Show the newest records."),
            "archive": Verb("journal", "archive", "Move old records to compressed files."),
            "backup": Verb("journal", "backup", "Write the whole home into one file, while it works."),
            "restore": Verb("journal", "restore", "Make a home from such a file."),
            "upgrade": Verb("journal", "upgrade", "Bring a home of an older format up to date."),
        },
    ),
    "cache": (
        "Look after compiled code.",
        {
            "list": Verb("upkeep", "list_cache", "List the compiled code."),
            "clear": Verb("upkeep", "clear_cache", "Remove the compiled code; it is made again when needed."),
        },
    ),
}
