"""The bytes of ``unit.toml`` to a :class:`Manifest`, or every fault at once. Pure: no file is looked at."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import ManifestInvalid, ValueInvalid
from remit.kernel.model import Budget, Capability
from remit.schemas import Fault, faults, formats, in_order, load_toml, parse_duration, parse_size
from remit.units.manifest.model import (
    ActionDecl,
    Build,
    Fill,
    Golden,
    Manifest,
    Native,
    Parameters,
    Patch,
    Prompt,
    Requires,
    Runtime,
    Subscription,
    Transform,
)
from remit.units.manifest.rules import broken_rules

__all__ = ["parse"]

_SHOWN = 3


def parse(text: bytes) -> Manifest:
    """The manifest in these bytes.

    :raises ManifestInvalid: if it has faults; ``details['faults']`` lists every one as ``{"path", "message"}``
    """
    try:
        document = load_toml(text)
    except ValueInvalid as error:
        raise _invalid([Fault(**fault) for fault in error.details["faults"]]) from error
    found = in_order([*faults(formats.UNIT, document), *broken_rules(document)])
    if found:
        raise _invalid(found)
    return _manifest(document)


def _invalid(found: list[Fault]) -> ManifestInvalid:
    shown = "; ".join(f"{fault.path or 'unit.toml'}: {fault.message}" for fault in found[:_SHOWN])
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    return ManifestInvalid(
        f"unit.toml has {len(found)} fault{'s' if len(found) > 1 else ''}: {shown}{more}",
        faults=[{"path": fault.path, "message": fault.message} for fault in found],
    )


def _manifest(document: dict[str, Any]) -> Manifest:
    """A document without faults as structs."""
    convert = msgspec.convert
    return Manifest(
        id=document["id"],
        version=document["version"],
        kind=document["kind"],
        title=document.get("title", ""),
        license=document.get("license", ""),
        runtime=_runtime(document["runtime"]) if "runtime" in document else None,
        requires=convert(document.get("requires", {}), Requires),
        parameters=convert(document.get("parameters", {}), Parameters),
        actions=convert(document.get("action", []), tuple[ActionDecl, ...]),
        prompts=convert(document.get("prompt", []), tuple[Prompt, ...]),
        fills=convert(document.get("fills", []), tuple[Fill, ...]),
        on=convert(document.get("on", []), tuple[Subscription, ...]),
        capabilities=_capabilities(document),
        patches=convert(document.get("patch", []), tuple[Patch, ...]),
        tests=convert(document.get("test", []), tuple[Golden, ...]),
        transform=convert(document["transform"], Transform) if "transform" in document else None,
        native=convert(document["native"], Native) if "native" in document else None,
        build=convert(document["build"], Build) if "build" in document else None,
    )


def _runtime(table: dict[str, Any]) -> Runtime:
    given = dict(table)
    for name in ("memory", "stack", "input", "output", "state"):
        if name in given:
            given[name] = parse_size(given[name])
    if "deadline" in given:
        given["deadline_ms"] = parse_duration(given.pop("deadline"))
    return msgspec.convert(given, Runtime)


def _capabilities(document: dict[str, Any]) -> tuple[Capability, ...]:
    """What is declared, and, for each topic that a reaction hears and nothing declared covers, hearing it."""
    declared = [_capability(table) for table in document.get("capability", [])]
    heard = [one.resource for one in declared if one.action == "events:subscribe"]
    declared += [
        Capability(action="events:subscribe", resource=entry["topic"], reason="reacts to it")
        for entry in document.get("on", [])
        if not any(f"{entry['topic']}.".startswith(f"{resource}.") for resource in heard)
    ]
    return tuple(declared)


def _capability(table: dict[str, Any]) -> Capability:
    budget = table.get("budget")
    return Capability(
        action=table["action"],
        resource=table["resource"],
        methods=tuple(table.get("methods", ())),
        budget=None if budget is None else _budget(budget),
        reason=table.get("reason", ""),
        optional=table.get("optional", False),
    )


def _budget(table: dict[str, Any]) -> Budget:
    return Budget(
        window_ms=parse_duration(table["window"]),
        calls=table.get("calls"),
        bytes=parse_size(table["bytes"]) if "bytes" in table else None,
        host_us=parse_duration(table["host_time"]) * 1_000 if "host_time" in table else None,
        fuel=table.get("fuel"),
    )
