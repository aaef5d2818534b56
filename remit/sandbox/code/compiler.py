"""The compiler's own process: bytes of a component in, machine code and the component's shape out.

It is the only place where bytes that nobody has vouched for meet wasmtime's parser and compiler, under limits of the
operating system that a bomb cannot argue with. It seals nothing and reads no secret; its parent
(:mod:`remit.sandbox.code.compiling`) believes it only about the files that it started it for.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from wasmtime import Store, WasmtimeError
from wasmtime import component as wc

from remit.sandbox.engines.engine import make_engine
from remit.sandbox.wit.contract import Shape

__all__ = ["Job", "Outcome", "main"]

_MAX_REPORT = 1 << 20
_MAX_MEMORIES = 16
_PROBE_S = 0.5
_MAX_DEPTH = 32


class Job(msgspec.Struct, frozen=True):
    """What to compile, and within which bounds (bytes and seconds)."""

    source: str
    target: str
    metered: bool
    output: int
    memory: int
    cpu_s: int
    path: tuple[str, ...]
    """The parent's ``sys.path``, so that the child runs the same code."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of it: an error for people, or the digest of the code and the component's shape."""

    error: str = ""
    code: str = ""
    shape: Shape | None = None


def main(argument: str) -> None:
    """Do the job that ``argument`` describes as JSON, and print the :class:`Outcome`."""
    job = msgspec.json.decode(argument, type=Job)
    _limit(resource.RLIMIT_AS, job.memory)
    _limit(resource.RLIMIT_CPU, job.cpu_s)
    _limit(resource.RLIMIT_FSIZE, job.output)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        report = msgspec.json.encode(_compile(job))
    except (WasmtimeError, UnicodeDecodeError, TypeError, RecursionError, MemoryError) as error:
        report = msgspec.json.encode(Outcome(error=(str(error) or type(error).__name__)[:2000]))
    if len(report) > _MAX_REPORT:
        report = msgspec.json.encode(Outcome(error="its imports and exports alone are larger than a mebibyte"))
    sys.stdout.buffer.write(report)


def _limit(which: int, amount: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def _compile(job: Job) -> Outcome:
    engine = make_engine(metered=job.metered, stack=512 << 10, parallel=True)
    component = wc.Component(engine, Path(job.source).read_bytes())
    code = component.serialize()
    with Path(job.target).open("xb") as file:
        file.write(code)
    kind = component.type
    # The probe reserves address space for linear memories (gibibytes each, never touched).
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    shape = Shape(
        imports={name: _functions(item.ty, engine) for name, item in kind.imports(engine).items()},
        exports={name: _exported(item.ty, engine) for name, item in kind.exports(engine).items()},
        memories=_count_memories(component, engine, metered=job.metered),
        parameters={name: _names(item.ty, engine) for name, item in kind.exports(engine).items()},
    )
    return Outcome(code=hashlib.sha256(code).hexdigest(), shape=shape)


def _functions(item: Any, engine: Any) -> Mapping[str, str] | None:
    if not isinstance(item, wc.ComponentInstanceType):
        return None
    members = ((name, member.ty) for name, member in item.exports(engine).items())
    return {name: _spell_function(kind) for name, kind in members if isinstance(kind, wc.FuncType)}


def _exported(item: Any, engine: Any) -> Mapping[str, str] | None:
    return {"": _spell_function(item)} if isinstance(item, wc.FuncType) else _functions(item, engine)


def _names(item: Any, engine: Any) -> Mapping[str, tuple[str, ...]]:
    members = item.exports(engine).items() if isinstance(item, wc.ComponentInstanceType) else ()
    kinds = {"": item} | {name: member.ty for name, member in members}
    functions = {name: kind for name, kind in kinds.items() if isinstance(kind, wc.FuncType)}
    return {name: tuple(param for param, _ in kind.params) for name, kind in functions.items()}


def _spell_function(kind: Any) -> str:
    params = ",".join(spell(param) for _, param in kind.params)
    return f"func({params})" + (f"->{spell(kind.result)}" if kind.result is not None else "")


def spell(kind: Any, depth: int = 0) -> str:
    """Wasmtime's view of a type, in the spelling of :mod:`remit.sandbox.wit.types`."""
    if depth > _MAX_DEPTH:
        return "…"

    def inner(part: Any) -> str:
        return "_" if part is None else spell(part, depth + 1)

    match kind:
        case wc.ListType():
            return f"list<{inner(kind.element)}>"
        case wc.OptionType():
            return f"option<{inner(kind.payload)}>"
        case wc.ResultType():
            return f"result<{inner(kind.ok)},{inner(kind.err)}>"
        case wc.TupleType():
            return f"tuple<{','.join(map(inner, kind.elements))}>"
        case wc.RecordType():
            return "record{" + ",".join(f"{name}:{inner(part)}" for name, part in kind.fields) + "}"
        case wc.VariantType():
            cases = (name if part is None else f"{name}({inner(part)})" for name, part in kind.cases)
            return "variant{" + ",".join(cases) + "}"
        case wc.EnumType() | wc.FlagsType():
            word = "enum" if isinstance(kind, wc.EnumType) else "flags"
            return word + "{" + ",".join(kind.names) + "}"
        case _:
            return type(kind).__name__.lower()


def _count_memories(component: Any, engine: Any, *, metered: bool) -> int:
    """How many linear memories an instance makes, by trying: with every import a trap, so that nothing can happen.

    A component that behaves differently here deceives itself only: the call's limits allow exactly this many.
    """
    linker = wc.Linker(engine)
    linker.define_unknown_imports_as_traps(component)
    for count in range(1, _MAX_MEMORIES):
        store = Store(engine)
        store.set_limits(memories=count)
        store.set_epoch_deadline(1)
        if metered:
            store.set_fuel(1 << 40)
        alarm = threading.Timer(_PROBE_S, engine.increment_epoch)
        alarm.start()
        try:
            linker.instantiate(store, component)
        except WasmtimeError as error:
            if "memory count too high" in str(error):
                continue
        finally:
            alarm.cancel()
            store.close()
        return count
    return _MAX_MEMORIES
