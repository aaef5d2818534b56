"""What the operator wants: ``remit.toml`` as typed data.

``${VAR}`` stays as written here, in plans, generations and the journal; :func:`expand` replaces it when it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from remit.errors import ConfigInvalid, ValueInvalid, VariableMissing
from remit.schemas import formats
from remit.schemas.fault import Fault
from remit.schemas.limits import Limits
from remit.schemas.own import faults as faults_of
from remit.schemas.quantities import parse_duration, parse_size
from remit.schemas.toml import load as load_toml
from remit.schemas.versions import is_range

__all__ = [
    "LOCAL_OPERATOR",
    "AgentServer",
    "Config",
    "DocumentDecl",
    "Incompatible",
    "Operator",
    "PlanChoice",
    "Policy",
    "RegistryChoice",
    "SlotDecl",
    "TracingChoice",
    "WantedUnit",
    "expand",
    "load_config",
]

LOCAL_OPERATOR = "local"
"""Who acts when nobody is named: the person at the home's machine."""
_MAX_CONFIG = 1 << 20
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class WantedUnit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[[unit]]`` entry."""

    id: str
    version: str = "*"
    parameters: dict[str, Any] = {}
    slots: dict[str, bool] = {}
    pin: str = ""
    """The one digest that may run, or "" for the best in the range."""


class Incompatible(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[[incompatible]]``: versions of a unit that do not work where all that it names holds."""

    unit: str
    versions: str = "*"
    remit: str = ""
    world: str = ""
    engine: str = ""
    """Versions of what runs components, as ranges; "" for any, here and above."""
    architecture: str = ""
    reason: str = ""


class DocumentDecl(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[document.NAME]``: a base value, and a schema that the effective document must follow."""

    base: Any = {}
    schema: dict[str, Any] | str | None = None


class SlotDecl(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[slot.NAME]``."""

    many: bool = False
    title: str = ""
    input: dict[str, Any] | str | None = None
    """JSON Schema of what the host gives to the action that fills the slot, or the file that holds it."""
    output: dict[str, Any] | str | None = None
    """JSON Schema of what the host expects back."""


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """``[policy]``: a shipped posture, and the operator's own policies on top."""

    posture: str = "standard"
    files: tuple[str, ...] = ("policy/*.cedar",)


class Operator(msgspec.Struct, frozen=True):
    """One ``[operator.NAME]``."""

    roles: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    """Namespaces of units that are this person's own: they may publish them, and not consent to what they may do."""
    tokens: tuple[str, ...] = ()
    """``sha256:…`` of each bearer token that speaks for the operator over HTTP."""


class PlanChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """``[plan]``."""

    tests: Literal["block", "warn", "off"] = "block"
    """What a unit whose own tests fail does to a plan."""


class RegistryChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[registry.NAME]``: where units that are named without a place come from."""

    url: str
    """``oci://HOST[/PREFIX]``."""
    publishers: tuple[str, ...] = ("*",)
    """Whose units come from there, and from no registry further down; ``*`` is everybody."""
    peers: tuple[str, ...] = ()
    """Registries that may give what is named by its digest, asked first; checked the same."""
    root: str = ""
    """A file of the home: TUF root metadata. Then the registry must show its latest state, attested by its keeper."""


class PluginChoice(msgspec.Struct, frozen=True):
    """``[plugin]``."""

    disable: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    """Plugins whose middleware runs on its caller's thread, where nothing bounds it."""
    deadline: str = "10s"
    """How long a hook of a third party may take."""
    failures: int = 5
    """After so many, a plugin gets no more hooks."""

    @property
    def deadline_ms(self) -> int:
        """:attr:`deadline` in milliseconds."""
        return parse_duration(self.deadline)


class AgentServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ``[mcp.NAME]``: a server whose tools become actions ``mcp/NAME:TOOL``. Only what is pinned does."""

    command: tuple[str, ...] = ()
    """A program to start and its arguments; else ``url``."""
    url: str = ""
    """Where it listens, over streamable HTTP."""
    env: dict[str, str] = {}
    """What the program gets of the environment besides the usual; ``${VAR}`` is replaced when it is started."""
    headers: dict[str, str] = {}
    """What goes with each request; ``${VAR}`` is replaced when it is sent."""
    tools: dict[str, str] = {}
    """``sha256:…`` of each tool's definition, by its name: no other tool runs, and none with another definition."""
    deadline: str = "30s"
    """How long a call may take, the connection included."""

    @property
    def deadline_ms(self) -> int:
        """:attr:`deadline` in milliseconds."""
        return parse_duration(self.deadline)


class TracingChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """``[tracing]``: where the spans of episodes are sent."""

    endpoint: str = ""
    """The base URL of an OTLP/HTTP receiver; "" is what OpenTelemetry's environment variables say."""
    headers: dict[str, str] = {}
    """What goes with each request; ``${VAR}`` is replaced when the kernel starts."""


class Config(msgspec.Struct, frozen=True, omit_defaults=True):
    """``remit.toml``, validated."""

    units: tuple[WantedUnit, ...] = msgspec.field(default=(), name="unit")
    documents: dict[str, DocumentDecl] = msgspec.field(default_factory=dict, name="document")
    slots: dict[str, SlotDecl] = msgspec.field(default_factory=dict, name="slot")
    policy: Policy = Policy()
    operator: dict[str, Operator] = {}
    secrets: dict[str, dict[Literal["env", "file"], str]] = msgspec.field(default_factory=dict, name="secret")
    """Where each secret is: an environment variable, or a file of the home. Never the secret itself."""
    record: dict[Literal["mode"], Literal["off", "digests", "full"]] = {}
    plan: PlanChoice = PlanChoice()
    plugin: PluginChoice = PluginChoice()
    registry: dict[str, RegistryChoice] = {}
    """In the order of the file: the first that covers a publisher is asked, and no other."""
    mcp: dict[str, AgentServer] = {}
    tracing: TracingChoice = TracingChoice()
    limits: dict[str, Any] = {}
    incompatible: tuple[Incompatible, ...] = ()

    def ceiling(self, limits: Limits) -> Limits:
        """A unit's bounds, none above the host's ``[limits]``."""
        host: dict[str, int] = {}
        for name, value in self.limits.items():
            if name == "deadline":
                host["deadline_ms"] = parse_duration(value)
            else:
                host[name] = parse_size(value) if isinstance(value, str) else value
        lowered = {}
        for name, most in host.items():
            wanted = getattr(limits, name)
            lowered[name] = most if wanted is None else min(wanted, most)
        return msgspec.structs.replace(limits, **lowered)

    @property
    def operators(self) -> Mapping[str, Operator]:
        """Operators by name; the local one owns the home unless the file says otherwise."""
        return {LOCAL_OPERATOR: Operator(("owner",))} | self.operator


@lru_cache(maxsize=2)  # an apply reads what it is about to write, and then what it wrote
def load_config(data: bytes) -> Config:
    """``remit.toml`` as data. Not to be changed: the same bytes give the same object.

    :raises ConfigInvalid: with every fault, if it is not TOML or does not follow ``home/v1``
    """
    try:
        document = load_toml(data, limit=_MAX_CONFIG)
    except ValueInvalid as error:
        fault = {"path": "", "message": error.message}
        raise ConfigInvalid(f"remit.toml: {error.message}", faults=[fault]) from error
    faults = faults_of(formats.HOME, document)
    faults += _duplicates(document)
    faults += _ranges(document) if not faults else []
    if faults:
        shown = "; ".join(f"{fault.path or 'remit.toml'}: {fault.message}" for fault in faults[:3])
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""  # noqa: PLR2004 - the first three are shown
        raise ConfigInvalid(
            f"remit.toml has {len(faults)} fault(s): {shown}{more}",
            faults=[{"path": fault.path, "message": fault.message} for fault in faults],
        )
    return msgspec.convert(document, Config)


def _ranges(document: dict[str, Any]) -> list[Fault]:
    """Version ranges of ``[[incompatible]]`` that are none."""
    return [
        Fault(f"incompatible[{number}].{part}", f"{entry[part]!r} is no range of versions")
        for number, entry in enumerate(document.get("incompatible", ()))
        for part in ("versions", "remit", "world", "engine")
        if part in entry and not is_range(entry[part])
    ]


def _duplicates(document: dict[str, Any]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    units = document.get("unit")
    for index, entry in enumerate(units if isinstance(units, list) else []):
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and name in seen:
            faults.append(Fault(path=f"unit[{index}].id", message=f"{name} is listed twice"))
        elif isinstance(name, str):
            seen.add(name)
    return faults


def expand(value: Any, environment: Mapping[str, str] | None = None) -> Any:
    """``value`` with every ``${NAME}`` in its strings replaced from the environment.

    :raises VariableMissing: if a variable is not set
    """
    variables = os.environ if environment is None else environment
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match.group(1), variables), value)
    if isinstance(value, dict):
        return {key: expand(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, variables) for item in value]
    return value


def _variable(name: str, variables: Mapping[str, str]) -> str:
    try:
        return variables[name]
    except KeyError:
        raise VariableMissing(f"remit.toml uses ${{{name}}}, which is not set") from None
