"""What a call costs with everything around it: policy, leases, schemas, journal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.guests import component
from benchmarks.measure import Benchmark, Figure, interleaved
from benchmarks.peers import NOW
from benchmarks.sandbox import extism, stock
from remit.host import Kernel, init
from remit.kernel.answers import Ok, Refused
from remit.kernel.scope import HostInterface, Scope

__all__ = ["BENCHMARKS", "bench_kernel"]

_ASKS = 5_000


class _Leased:
    """An interface that answers the same for ever, to whoever has the lease: the check is the kernel's own."""

    def __init__(self, function: str, answer: str | int) -> None:
        self.functions: dict[str, Any] = {function: self._read}
        self._answer = answer

    def _read(self, scope: Scope, name: str = "name") -> Ok | Refused:
        grant = scope.require("secret:read", name)
        return grant if isinstance(grant, Refused) else Ok(self._answer)


def _interfaces() -> dict[str, HostInterface]:
    return {"secrets": _Leased("read", "correct horse"), "clock": _Leased("monotonic-ns", NOW)}


def _kernel(resources: ExitStack, reuse: Literal["fresh", "kept"] = "fresh") -> Kernel:
    root = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
    return bench_kernel(resources, root, reuse=reuse)


def bench_kernel(
    resources: ExitStack,
    root: Path,
    signals: Literal["leave", "manage"] = "leave",
    reuse: Literal["fresh", "kept"] = "fresh",
) -> Kernel:
    """A kernel of its own below an empty folder, with the benchmarks' unit active."""
    folder = root / "unit"
    folder.mkdir()
    manifest = Path(__file__).with_name("guests").joinpath("unit.toml").read_text("utf-8")
    (folder / "unit.toml").write_text(manifest.replace("[runtime]", f'[runtime]\nreuse    = "{reuse}"'), "utf-8")
    (folder / "echo.wasm").write_bytes(component())
    (folder / "README.md").write_text("# bench/echo\n\nThe guest of the benchmarks.\n", "utf-8")
    init(root / "home")
    kernel = resources.enter_context(Kernel.open(root / "home", program="benchmarks", serve=False, signals=signals))
    kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
    return kernel


def _call(resources: ExitStack) -> Figure:
    from remit.kernel.model import LOCAL_OPERATOR, Caller  # noqa: PLC0415 - beside what it is for

    caller, payload = Caller(LOCAL_OPERATOR), b'{"text":"' + b"x" * 88 + b'"}'

    def calling(reuse: Literal["fresh", "kept"]) -> Callable[[], Any]:
        dispatcher = _kernel(resources, reuse)._rooms.dispatcher  # noqa: SLF001 - the façade hands the main thread's over
        return lambda: dispatcher.call("bench/echo:echo", payload, caller, durability="queued")

    found = interleaved({"kept": calling("kept"), "fresh": calling("fresh")}, each=50)
    return Figure(found.pop("kept"), "us", found, runs=200)


def _asked(resources: ExitStack, action: str) -> Figure:
    """What one host call takes of a call of the guest that makes many."""
    kernel = _kernel(resources)
    dispatcher = kernel._rooms.dispatcher  # noqa: SLF001 - as above
    dispatcher._interfaces = _interfaces()  # noqa: SLF001 - as above
    from remit.kernel.model import Caller  # noqa: PLC0415 - as above

    caller, asks = Caller(), str(_ASKS)

    def call(count: str) -> Any:
        return dispatcher.call(f"bench/echo:{action}", count.encode(), caller, durability="queued")

    assert call(asks).output == _ASKS
    found = interleaved(
        {
            "remit": lambda: call(asks),
            "remit none": lambda: call("0"),
            "extism": lambda: extism().call(action, asks),
            "extism none": lambda: extism().call(action, "0"),
            "wasmtime-py": lambda: stock().call(action, asks),
            "wasmtime-py none": lambda: stock().call(action, "0"),
        },
        rounds=30,
        each=1,
    )
    each = {name: (found[name] - found[f"{name} none"]) / _ASKS for name in ("remit", "extism", "wasmtime-py")}
    return Figure(each.pop("remit"), "us", each, runs=30)


def _recorded(resources: ExitStack) -> Figure:
    from remit.kernel.model import LOCAL_OPERATOR, Caller  # noqa: PLC0415 - as above

    dispatcher = _kernel(resources)._rooms.dispatcher  # noqa: SLF001 - as above
    dispatcher._interfaces = _interfaces()  # noqa: SLF001 - as above
    found = interleaved(
        {
            mode: partial(
                dispatcher.call, "bench/echo:ask", b"4", Caller(LOCAL_OPERATOR, record=mode), durability="queued"
            )
            for mode in ("full", "digests", "off")
        },
        each=20,
    )
    return Figure(found.pop("full"), "us", found, runs=200)


BENCHMARKS = (
    Benchmark(
        "sandbox.host_call",
        "guest asks the host for a number, with lease check",
        "≤ 2 µs",
        f"A function without arguments that gives a number, {_ASKS} times in one call of the kernel, less a call "
        "without any; each goes through the door, the lease and its budget. The peers' host function returns a "
        "constant: it checks nothing.",
        partial(_asked, action="now"),
        {"extism": 1.8},
    ),
    Benchmark(
        "sandbox.host_call_text",
        "the same with a text in and a text out",
        "",
        "`secrets.read`: two texts cross the boundary with each host call.",
        partial(_asked, action="ask"),
    ),
    Benchmark(
        "kernel.call",
        "call through the kernel, queued durability",
        "≤ 40 µs",
        "Policy, input, sandbox, journal; 100 bytes of JSON in and out. A small unit, warm (its instance is kept); "
        "`fresh` has a fresh sandbox for each call.",
        _call,
    ),
    Benchmark(
        "kernel.recorded",
        "the same with four host calls, recorded in full",
        "≤ 2 times unrecorded",
        "A transcript that holds all that a replay needs, against a call whose host calls are recorded by digest, or "
        "not at all (`off`).",
        _recorded,
        {"off": 0.5},
    ),
)
