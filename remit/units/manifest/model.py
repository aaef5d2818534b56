"""``unit.toml`` as data: sizes in bytes, durations in milliseconds, absent tables as their defaults. No behaviour."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from remit.kernel.model import Capability, Kind, Limits

__all__ = [
    "ActionDecl",
    "Build",
    "Fill",
    "Golden",
    "Manifest",
    "Native",
    "Parameters",
    "Patch",
    "Prompt",
    "PromptArgument",
    "Requires",
    "Runtime",
    "Subscription",
    "Transform",
]

_DEFAULTS = Limits()


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """``[runtime]``: the artifact and the bounds of one call."""

    abi: Literal["component"] = "component"
    artifact: str
    """A file of the bundle."""
    memory: int = _DEFAULTS.memory
    """Bytes, all memories of an instance together."""
    deadline_ms: int = _DEFAULTS.deadline_ms
    """Wall clock of one call, host calls included."""
    fuel: int | None = None
    """Deterministic instruction budget; ``None`` is unmetered."""
    stack: int = _DEFAULTS.stack
    """Bytes of frames."""
    input: int = _DEFAULTS.input
    output: int = _DEFAULTS.output
    state: int = _DEFAULTS.state
    """Bytes of keys and values that live in a project at a time."""
    host_calls: int = _DEFAULTS.host_calls
    log_lines: int = _DEFAULTS.log_lines
    effects: int = _DEFAULTS.effects
    """Writes and events of one call together."""
    reuse: Literal["fresh", "kept"] = "fresh"


class Requires(msgspec.Struct, frozen=True, kw_only=True):
    """``[requires]``: ranges in npm's notation."""

    remit: str = "*"
    world: str = "*"
    units: dict[str, str] = {}
    conflicts: tuple[str, ...] = ()


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """``[parameters]``: the schema's file and the values that hold unless the operator sets others."""

    schema: str | None = None
    defaults: dict[str, Any] = {}


class ActionDecl(msgspec.Struct, frozen=True, kw_only=True):
    """``[[action]]``: a named operation, with the files of its schemas."""

    name: str
    title: str = ""
    input: str | None = None
    output: str | None = None
    export: str = ""
    """The function behind it, ``interface#function``, in a component of another world; its types are its schemas."""
    idempotent: bool = False


class PromptArgument(msgspec.Struct, frozen=True, kw_only=True):
    """``[[prompt.argument]]``: a text that goes into a prompt."""

    name: str
    title: str = ""
    description: str = ""
    required: bool = True


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """``[[prompt]]``: words that an agent's user can ask for by name."""

    name: str
    """Among the unit's actions: who may invoke an action of this name may read it."""
    title: str = ""
    description: str = ""
    template: str
    """The words, with ``{{name}}`` where an argument goes."""
    arguments: tuple[PromptArgument, ...] = msgspec.field(default=(), name="argument")


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """``[[fills]]``: this action fills that slot of the host."""

    slot: str
    action: str


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """``[[on]]``: a reaction to a topic."""

    topic: str
    qos: Literal["realtime", "batched", "background"] = "background"
    attempts: int = 5
    """How often a background delivery is tried before the event is a dead letter."""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """``[[patch]]``: a change of a document, RFC 7396 (``merge``) or RFC 6902 (``json-patch``)."""

    target: str
    op: Literal["merge", "json-patch"] = "merge"
    value: Any


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """``[[test]]``: what an action answers to an input."""

    action: str
    input: Any
    expect: Any


class Transform(msgspec.Struct, frozen=True, kw_only=True):
    """``[transform]``: the documents that a transform reads and writes."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...]


class Native(msgspec.Struct, frozen=True, kw_only=True):
    """``[native]``: the Python module that answers, one of the artifact's."""

    module: str


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """``[build]``: how the artifact is made from its source, a file or folder beside the manifest."""

    tool: Literal["componentize-py", "componentize-qjs", "native", "rustc", "wat", "zig-cc"]
    source: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's manifest, checked."""

    id: str
    version: str
    kind: Kind
    title: str = ""
    license: str = ""
    runtime: Runtime | None = None
    requires: Requires = Requires()
    parameters: Parameters = Parameters()
    actions: tuple[ActionDecl, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    fills: tuple[Fill, ...] = ()
    on: tuple[Subscription, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    patches: tuple[Patch, ...] = ()
    tests: tuple[Golden, ...] = ()
    transform: Transform | None = None
    native: Native | None = None
    build: Build | None = None
