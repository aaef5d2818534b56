"""The world ``remit:unit`` as one table of signatures, and the check of a component against it.

The table follows ``unit.wit`` line by line; a test holds the two equal. A component is refused for what it imports, not
for what it exports besides: language runtimes leave stray exports behind, and nobody calls them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.errors import ArtifactInvalid, ImportRefused
from remit.sandbox.wit.types import (
    BOOL,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Enum,
    ListOf,
    Option,
    Record,
    Result,
    Signature,
    TupleOf,
    Type,
    Variant,
)
from remit.schemas.formats import WORLD

__all__ = ["CLOSED_WASI", "EXPORTS", "IMPORTS", "Shape", "check", "is_closed_wasi", "short_name"]

ENCODING = Enum(("utf8", "base64"))
EVENT = Record((
    ("id", STRING), ("topic", STRING), ("source", STRING), ("subject", STRING), ("time-ms", U64),
    ("content-type", STRING), ("data", STRING), ("correlation-id", STRING), ("causation-id", STRING),
    ("reply-to", STRING), ("hops", U32), ("priority", U8), ("trace-parent", STRING), ("attempt", U32),
))  # fmt: skip
ERROR = Variant((
    ("rejected", STRING), ("retry", Record((("after-ms", U64), ("reason", STRING)))), ("failed", STRING),
))  # fmt: skip
REFUSAL = Enum(("denied", "exhausted", "not-found", "conflict", "invalid", "unavailable", "timed-out"))
HOST_ERROR = Record((("code", REFUSAL), ("message", STRING)))
HEADERS = ListOf(TupleOf((STRING, STRING)))


def _or_refused(ok: Type) -> Result:
    return Result(ok, HOST_ERROR)


IMPORTS: Final[Mapping[str, Mapping[str, Signature]]] = {
    "types": {},
    "log": {"write": Signature((Enum(("trace", "debug", "info", "warn", "error")), STRING, STRING))},
    "parameters": {"get": Signature((), STRING)},
    "clock": {"now-ms": Signature((), U64), "monotonic-ns": Signature((), U64)},
    "random": {"hex": Signature((U32,), STRING), "next": Signature((), U64)},
    "state": {
        "get": Signature((STRING,), _or_refused(Option(Record((("value", STRING), ("version", U64)))))),
        "put": Signature((STRING, STRING, Option(U64)), _or_refused(U64)),
        "delete": Signature((STRING,), _or_refused(BOOL)),
        "list": Signature((STRING, STRING, U32), _or_refused(ListOf(STRING))),
    },
    "events": {"emit": Signature((STRING, STRING, STRING), _or_refused(STRING))},
    "http": {
        "fetch": Signature(
            (
                Record((
                    ("method", STRING), ("url", STRING), ("headers", HEADERS), ("body", STRING),
                    ("body-encoding", ENCODING), ("timeout-ms", U32),
                )),
            ),
            _or_refused(Record((
                ("status", U16), ("headers", HEADERS), ("body", STRING), ("body-encoding", ENCODING),
            ))),
        )
    },
    "files": {
        "read": Signature((STRING, ENCODING), _or_refused(STRING)),
        "write": Signature((STRING, STRING, ENCODING), _or_refused(U64)),
        "list": Signature((STRING,), _or_refused(ListOf(STRING))),
    },
    "secrets": {"read": Signature((STRING,), _or_refused(STRING))},
    "actions": {"call": Signature((STRING, STRING), _or_refused(STRING))},
}  # fmt: skip
"""What a unit may import, by short interface name and WIT function name."""

EXPORTS: Final[Mapping[str, Mapping[str, Signature]]] = {
    "provider": {"call": Signature((STRING, STRING), Result(STRING, ERROR))},
    "handler": {"handle": Signature((EVENT,), Result(STRING, ERROR))},
    "transformer": {"transform": Signature((STRING,), Result(STRING, ERROR))},
}
"""What a unit may export."""

CLOSED_WASI: Final = frozenset({
    "wasi:cli/environment", "wasi:cli/exit", "wasi:cli/stdin", "wasi:cli/stdout", "wasi:cli/stderr",
    "wasi:cli/terminal-input", "wasi:cli/terminal-output", "wasi:cli/terminal-stdin", "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr", "wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock", "wasi:filesystem/preopens",
    "wasi:filesystem/types", "wasi:io/error", "wasi:io/poll", "wasi:io/streams", "wasi:random/insecure",
    "wasi:random/insecure-seed", "wasi:random/random", "wasi:sockets/instance-network", "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network", "wasi:sockets/tcp", "wasi:sockets/tcp-create-socket", "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
})  # fmt: skip
"""The 0.2.x interfaces that language runtimes import whether or not the program uses them; served empty."""

_OURS = re.compile(r"remit:unit/([a-z][a-z0-9-]*)@0\.1\.\d{1,6}")
_ANY_OURS = re.compile(r"remit:unit/[a-z][a-z0-9-]{0,60}@(\d{1,6}\.\d{1,6}\.\d{1,6})")
_WASI = re.compile(r"(wasi:[a-z-]+/[a-z-]+)@0\.2\.\d{1,6}")
_SHOWN = 50


class Shape(msgspec.Struct, frozen=True):
    """What a component asks for and offers, as the compiler's process saw it: name → function → spelled signature.

    A root item that is not an interface maps to ``None``; an exported root function to itself, under "".
    """

    imports: Mapping[str, Mapping[str, str] | None]
    exports: Mapping[str, Mapping[str, str] | None]
    memories: int
    """How many linear memories it makes when instantiated: the memory limit is shared out among them."""
    parameters: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
    """What the parameters of the exported functions are called, by export and function."""


def short_name(name: str) -> str | None:
    """``"log"`` for ``"remit:unit/log@0.1.x"``; ``None`` for what is not of our package and minor version."""
    match = _OURS.fullmatch(name)
    return match[1] if match else None


def is_closed_wasi(name: str) -> bool:
    """Whether an import belongs to the closed world that we serve empty."""
    match = _WASI.fullmatch(name)
    return match is not None and match[1] in CLOSED_WASI


def check(shape: Shape) -> tuple[frozenset[str], frozenset[str]]:
    """The short names of our interfaces that a component imports and exports, but for ``types``, which has no function.

    :raises ImportRefused: if it imports anything else, or one of ours under another signature; names all of them
    :raises ArtifactInvalid: if it exports one of ours under another signature
    """
    faults: list[str] = []
    imported: set[str] = set()
    for name, functions in shape.imports.items():
        if is_closed_wasi(name) and functions is not None:
            continue
        short = short_name(name)
        if short is None or short not in IMPORTS or functions is None:
            faults.append(name[:200])
            continue
        faults += _mismatches(name, functions, IMPORTS[short])
        if short != "types":
            imported.add(short)
    if faults:
        shown = ", ".join(sorted(faults)[:_SHOWN])
        raise ImportRefused(
            f"the component imports what no host of ours offers: {shown}{_newer(faults)}",
            imports=sorted(faults)[:_SHOWN],
        )
    return frozenset(imported), frozenset(_exported(shape))


def _newer(faults: list[str]) -> str:
    """The world of ours that would have what is missing, where it is a matter of that."""
    worlds = {found[1] for name in faults if not short_name(name) and (found := _ANY_OURS.fullmatch(name))}
    return f" (it is made for world {', '.join(sorted(worlds))}; this host offers {WORLD})" if worlds else ""


def _exported(shape: Shape) -> set[str]:
    exported: set[str] = set()
    for name, functions in shape.exports.items():
        short = short_name(name)
        if short is None or short not in EXPORTS or functions is None:
            continue
        faults = _mismatches(name, functions, EXPORTS[short])
        missing = EXPORTS[short].keys() - functions.keys()
        if faults or missing:
            faults += [f"{name}: {function} is missing" for function in sorted(missing)]
            raise ArtifactInvalid(f"an export does not follow unit.wit: {'; '.join(faults[:_SHOWN])}")
        exported.add(short)
    return exported


def _mismatches(name: str, functions: Mapping[str, str], ours: Mapping[str, Signature]) -> list[str]:
    faults = []
    for function, spelled in functions.items():
        if function not in ours:
            faults.append(f"{name}: {function[:200]} does not exist")
        elif spelled != str(ours[function]):
            faults.append(f"{name}: {function} is {ours[function]}, not {spelled[:200]}")
    return faults
