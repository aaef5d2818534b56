"""What the schema of ``unit.toml`` cannot say: one small rule per aspect, each giving every fault that it finds.

Rules read the raw document and tolerate any shape, so that an author sees these faults together with the schema's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from remit.errors import ValueInvalid
from remit.journal.event import KERNEL_TOPICS
from remit.schemas import Fault, parse_duration, parse_size, show_path
from remit.schemas.versions import is_range, is_version
from remit.schemas.wording import nearest
from remit.units.manifest.jsonpatch import patch_faults
from remit.units.manifest.prompts import prompt_faults
from remit.units.manifest.resources import ACTIONS, resource_fault

__all__ = ["broken_rules"]

Document = Mapping[str, Any]

_KIB, _MIB, _GIB, _TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
_SIZES = {
    "memory": (64 * _KIB, 4 * _GIB, "64KiB to 4GiB"),
    "stack": (64 * _KIB, 2 * _MIB, "64KiB to 2MiB"),
    "input": (_KIB, 16 * _MIB, "1KiB to 16MiB"),
    "output": (_KIB, 16 * _MIB, "1KiB to 16MiB"),
    "state": (_KIB, 4 * _GIB, "1KiB to 4GiB"),
}
"""Of ``[runtime]``: least, most, and both in words."""
_SECOND, _MINUTE, _DAY = 1_000, 60_000, 86_400_000

# What a kind may not have: least power first, and nothing that would widen what it can do.
_BARRED: Mapping[str, tuple[str, ...]] = {
    "config": ("runtime", "action", "fills", "on", "capability", "test", "transform", "native", "build"),
    "transform": ("action", "fills", "on", "capability", "test", "native"),
    "tool": ("transform", "native"),
    "native": ("transform",),
}
_UNBOUNDED = ("abi", "memory", "fuel", "stack", "reuse")
"""Of ``[runtime]``: what is of a sandbox."""


def broken_rules(document: Document) -> Iterator[Fault]:
    """Every semantic fault of a manifest, in no particular order."""
    for rule in _RULES:
        yield from rule(document)


def _kind(document: Document) -> Iterator[Fault]:
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _BARRED:
        return
    for key in _BARRED[kind]:
        if key in document:
            yield Fault(key, f"a {kind} unit has none")
    if kind == "config" and not _tables(document, "patch") and not _tables(document, "prompt"):
        yield Fault("patch", "is missing: a config unit without patches or prompts does nothing")
    if kind in ("transform", "tool", "native") and "runtime" not in document:
        yield Fault("runtime", f"is missing: a {kind} unit needs an artifact")
    if kind == "transform" and "transform" not in document:
        yield Fault("transform", "is missing: a transform says which documents it reads and writes")
    if kind == "native":
        yield from _native(document)
    if kind in ("tool", "native") and not _tables(document, "action") and not _tables(document, "on"):
        yield Fault("action", f"is missing: a {kind} unit needs an action or a reaction ([[on]])")


def _native(document: Document) -> Iterator[Fault]:
    """What would bound native code and does not is not to be said."""
    runtime = _table(document, "runtime")
    for key in _UNBOUNDED:
        if key in runtime:
            yield Fault(f"runtime.{key}", "a native unit has none: no sandbox bounds it")
    if "native" not in document:
        yield Fault("native", "is missing: a native unit says which module answers ([native] module)")
    tool = _table(document, "build").get("tool")
    if isinstance(tool, str) and tool != "native":
        yield Fault("build.tool", "must be 'native': a native unit's artifact is its source")
    for index, entry in _tables(document, "action"):
        if "export" in entry:
            yield Fault(f"action[{index}].export", "is of components: leave it out")


def _versions(document: Document) -> Iterator[Fault]:
    version = document.get("version")
    if isinstance(version, str) and not is_version(version):
        yield Fault("version", "must be a version of Semantic Versioning 2.0 like '1.2.0'")
    requires = _table(document, "requires")
    ranges: list[tuple[tuple[str, ...], Any]] = [(("requires", key), requires.get(key)) for key in ("remit", "world")]
    ranges += [(("requires", "units", name), value) for name, value in _table(requires, "units").items()]
    for path, value in ranges:
        if isinstance(value, str) and not is_range(value):
            yield Fault(show_path(path), "must be a range of versions like '^1.0' or '>=0.1,<0.2'")


def _relations(document: Document) -> Iterator[Fault]:
    given = document.get("id")
    own = given if isinstance(given, str) else ""
    requires = _table(document, "requires")
    needed = _table(requires, "units")
    if own in needed:
        yield Fault(show_path(("requires", "units", own)), "a unit cannot need itself")
    conflicts = requires.get("conflicts")
    for index, other in enumerate(conflicts if isinstance(conflicts, list) else ()):
        if isinstance(other, str) and (other == own or other in needed):
            whom = "itself" if other == own else "a unit that it needs"
            yield Fault(f"requires.conflicts[{index}]", f"a unit cannot conflict with {whom}")


def _quantities(document: Document) -> Iterator[Fault]:
    runtime = _table(document, "runtime")
    for name, (least, most, words) in _SIZES.items():
        yield from _within(f"runtime.{name}", runtime.get(name), parse_size, least, most, words)
    yield from _within("runtime.deadline", runtime.get("deadline"), parse_duration, 1, 10 * _MINUTE, "1ms to 10m")
    for index, capability in _tables(document, "capability"):
        path, budget = f"capability[{index}].budget", _table(capability, "budget")
        yield from _within(f"{path}.window", budget.get("window"), parse_duration, _SECOND, 366 * _DAY, "1s to 366d")
        yield from _within(f"{path}.bytes", budget.get("bytes"), parse_size, 1, 4 * _TIB, "1B to 4096GiB")
        yield from _within(f"{path}.host_time", budget.get("host_time"), parse_duration, 1, 366 * _DAY, "1ms to 366d")
        if budget and not budget.keys() & {"calls", "bytes", "host_time", "fuel"}:
            yield Fault(path, "bounds nothing: give calls, bytes, host_time or fuel")
        if "fuel" in budget and capability.get("action") != "action:call":
            yield Fault(f"{path}.fuel", "is what called actions use: only action:call has it")


def _within(path: str, text: Any, parse: Callable[[str], int], least: int, most: int, words: str) -> Iterator[Fault]:
    if not isinstance(text, str):
        return
    try:
        amount = parse(text)
    except ValueInvalid:
        return  # the schema says so already
    if not least <= amount <= most:
        yield Fault(path, f"must be {words}")


def _duplicates(document: Document) -> Iterator[Fault]:
    for table, keys in (("action", ("name",)), ("prompt", ("name",)), ("fills", ("slot", "action")), ("on", ("topic",)),
                        ("capability", ("action", "resource"))):  # fmt: skip
        seen: Counter[tuple[str, ...]] = Counter()
        for index, entry in _tables(document, table):
            identity = tuple(str(entry.get(key)) for key in keys)
            seen[identity] += 1
            if seen[identity] > 1 and all(key in entry for key in keys):
                yield Fault(f"{table}[{index}].{keys[0]}", f"{' on '.join(identity)[:200]!r} is declared twice")


def _references(document: Document) -> Iterator[Fault]:
    names = [entry.get("name") for _, entry in _tables(document, "action")]
    for table in ("fills", "test"):
        for index, entry in _tables(document, table):
            action = entry.get("action")
            if isinstance(action, str) and action not in names:
                yield Fault(f"{table}[{index}].action", f"no [[action]] has that name{nearest(action, names)}")


def _capabilities(document: Document) -> Iterator[Fault]:
    for index, entry in _tables(document, "capability"):
        action, resource = entry.get("action"), entry.get("resource")
        if not isinstance(action, str):
            continue
        if action not in ACTIONS:
            known = ", ".join(ACTIONS)
            yield Fault(f"capability[{index}].action", f"must be one of {known}{nearest(action, ACTIONS)}")
        elif isinstance(resource, str) and (wrong := resource_fault(action, resource)):
            yield Fault(f"capability[{index}].resource", wrong)
        if "methods" in entry and action != "net:http":
            yield Fault(f"capability[{index}].methods", "only net:http has methods")


def _subscriptions(document: Document) -> Iterator[Fault]:
    for index, entry in _tables(document, "on"):
        topic = entry.get("topic")
        first = topic.partition(".")[0] if isinstance(topic, str) else ""
        if first in KERNEL_TOPICS:
            yield Fault(f"on[{index}].topic", f"topics of {first!r} belong to the kernel: no unit may react to them")


def _patches(document: Document) -> Iterator[Fault]:
    for index, entry in _tables(document, "patch"):
        path = f"patch[{index}].value"
        if entry.get("op") == "json-patch":
            yield from patch_faults(entry.get("value"), path)
        elif not isinstance(entry.get("value"), dict):
            yield Fault(path, "must be an object: a merge patch of a document (RFC 7396)")


def _prompts(document: Document) -> Iterator[Fault]:
    actions = [entry.get("name") for _, entry in _tables(document, "action")]
    for index, entry in _tables(document, "prompt"):
        if entry.get("name") in actions:
            yield Fault(f"prompt[{index}].name", "is an action's name as well")
        yield from prompt_faults(entry, f"prompt[{index}]")


def _building(document: Document) -> Iterator[Fault]:
    build = _table(document, "build")
    source = build.get("source")
    if build.get("tool") == "native" and document.get("kind") in ("tool", "transform"):
        yield Fault("build.tool", "'native' makes native units: write kind = \"native\", or take another tool")
    if build.get("tool") == "wat" and isinstance(source, str) and not source.endswith(".wat"):
        yield Fault("build.source", "must be a .wat file for the tool 'wat'")
    if source is not None and source == _table(document, "runtime").get("artifact"):
        yield Fault("build.source", "is the artifact itself: the build would overwrite its source")


def _exports(document: Document) -> Iterator[Fault]:
    if _table(document, "build").get("tool") != "componentize-py":
        return
    for index, entry in _tables(document, "action"):
        if "export" in entry:
            yield Fault(f"action[{index}].export", "componentize-py builds units of the world remit:unit: leave it out")


def _table(document: Document, key: str) -> Document:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _tables(document: Document, key: str) -> list[tuple[int, Document]]:
    found = document.get(key)
    return [
        (index, entry)
        for index, entry in enumerate(found if isinstance(found, list) else ())
        if isinstance(entry, dict)
    ]


_RULES: tuple[Callable[[Document], Iterator[Fault]], ...] = (
    _kind,
    _versions,
    _relations,
    _quantities,
    _duplicates,
    _references,
    _capabilities,
    _subscriptions,
    _patches,
    _prompts,
    _building,
    _exports,
)
