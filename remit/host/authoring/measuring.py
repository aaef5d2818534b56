"""What a call of a unit costs its callers: time through the whole kernel, fuel and memory of its instance.

Everything happens in a home of its own that is gone afterwards. Times are of this machine as busy as it is now.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from remit.errors import RemitError, UsageError
from remit.host.authoring.tools import build_unit, init, permit_native, sound_manifest
from remit.host.authoring.workbench import lend_code
from remit.host.kernel import Kernel
from remit.journal import Progress, no_progress
from remit.kernel.ports import SystemClock
from remit.units.manifest import Manifest

__all__ = ["Measured", "measure_unit"]

_WARM_UP = 10
_PAGE = 1 << 16
_MOST_FUEL = 10**12
_MOST_CALLS = 100_000


class Measured(msgspec.Struct, frozen=True):
    """The cost of one action with one input."""

    action: str
    calls: int
    per_second: float
    """Calls one after another, each through policy, sandbox and journal (written, not waited for)."""
    p50_us: float
    p99_us: float
    first_us: float
    """The first call after the unit became active."""
    fuel: int | None
    """Instructions of one call from a fresh instance; ``None`` for native code, and where only a real call serves."""
    memory: int | None
    """The least bytes of memory, in pages of 64 KiB, with which that call succeeds; ``None`` likewise."""


def measure_unit(
    folder: Path | str,
    action: str = "",
    value: Any = None,
    *,
    seconds: float = 2.0,
    progress: Progress = no_progress,
) -> Measured:
    """Call an action over and over for so long and give what that cost.

    :param action: its name in the manifest; the first one if nothing is said
    :param value: its input; that of the manifest's first test of the action if nothing is said
    :param seconds: of calls, besides what building and the first calls take
    :raises ManifestInvalid: if ``unit.toml`` has faults
    :raises BuildFailed: if it cannot be built
    :raises UsageError: if it has no such action, or nothing to call it with
    :raises RemitError: if the call fails
    """
    manifest = sound_manifest(folder)
    name = action or (manifest.actions[0].name if manifest.actions else "")
    if name not in [one.name for one in manifest.actions]:
        offered = ", ".join(one.name for one in manifest.actions) or "none"
        raise UsageError(f"{manifest.id} has no action {name[:100]!r}", remedy=f"it has {offered}")
    if value is None:
        inputs = [test.input for test in manifest.tests if test.action == name]
        if not inputs:
            raise UsageError(f"no [[test]] of {name} says with what to call it", remedy="give an input")
        value = inputs[0]
    if manifest.build is not None:
        build_unit(folder, progress)
    with tempfile.TemporaryDirectory(prefix="remit-bench-") as work:
        init(Path(work, "home"))
        permit_native(Path(work, "home"), folder)
        lend_code(Path(work, "home"))
        with Kernel.open(Path(work, "home"), program="remit unit bench", serve=False, signals="manage") as kernel:
            kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
            return _measured(kernel, manifest, name, value, seconds, progress)


def _measured(
    kernel: Kernel, manifest: Manifest, name: str, value: Any, seconds: float, progress: Progress
) -> Measured:
    clock, text, reference = SystemClock(), json.dumps(value), f"{manifest.id}:{name}"
    times: list[int] = []

    def once() -> int:
        began = clock.monotonic_ns()
        kernel.call_text(reference, text, durability="queued")
        return clock.monotonic_ns() - began

    first = once()
    for _ in range(_WARM_UP):
        once()
    began, most = clock.monotonic_ns(), seconds * 1e9
    while (spent := clock.monotonic_ns() - began) < most and len(times) < _MOST_CALLS:
        times.append(once())
        progress(f"calling {reference}", spent / most)
    times.sort()
    runtime = manifest.runtime
    # Native code has neither fuel nor a memory of its own.
    fuel, memory = (
        (None, None) if manifest.native else _needs(kernel, reference, text, runtime.memory if runtime else 0)
    )
    return Measured(
        action=reference,
        calls=len(times),
        per_second=round(len(times) / (sum(times) / 1e9), 1),
        p50_us=times[len(times) // 2] / 1e3,
        p99_us=times[len(times) * 99 // 100] / 1e3,
        first_us=first / 1e3,
        fuel=fuel,
        memory=memory,
    )


def _needs(kernel: Kernel, reference: str, text: str, memory: int) -> tuple[int | None, int | None]:
    """Fuel and least memory of one rehearsed call: nothing of it is kept, and it may not reach out."""
    metered = _rehearsed(kernel, reference, text, fuel=_MOST_FUEL)
    if metered is None:
        return None, None
    least, enough = 0, memory // _PAGE
    while enough - least > 1:
        middle = (least + enough) // 2
        passed = _rehearsed(kernel, reference, text, memory=middle * _PAGE) is not None
        least, enough = (least, middle) if passed else (middle, enough)
    return metered, enough * _PAGE


def _rehearsed(kernel: Kernel, reference: str, text: str, **limits: int) -> int | None:
    """The fuel of the call under other limits, 0 where it is not metered; ``None`` if it does not succeed."""
    try:
        answer = kernel.rehearse(reference, text, **limits)
    except RemitError:
        return None
    return (answer.fuel or 0) if answer.tag == "ok" else None
