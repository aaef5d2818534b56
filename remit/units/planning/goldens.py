"""A unit's own tests, rehearsed before it becomes active: each ``[[test]]`` of its manifest, in the sandbox.

A rehearsal begins with empty state, each test finds what those before it left, and nothing of it is kept; declared
topics may be emitted. Whatever leads outside (HTTP, files, secrets, other actions) is refused: where a unit asks for
such a capability, a test that fails proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from remit.errors import LeaseDenied, RemitError
from remit.journal import encode_json
from remit.kernel.model import (
    Amounts,
    Capability,
    Decision,
    EntityRef,
    Grant,
    GrantStatus,
    GuestOutcome,
    Program,
    UnitRef,
)
from remit.kernel.ports import Authority, Hold
from remit.schemas.config import expand
from remit.units.manifest import Manifest
from remit.units.planning.plan import Finding

__all__ = ["Rehearsals", "Rehearse", "TestsChoice"]

Rehearse = Callable[[Program, str, Authority], Callable[[str, tuple[Any, ...]], GuestOutcome]]
"""``rehearse(program, parameters JSON, authority)(export, arguments)``: calls that leave nothing behind the last."""
TestsChoice = Literal["block", "warn", "off"]

_KEPT = 1_000
_SHOWN = 200


class _Result(msgspec.Struct, frozen=True):
    failed: int
    first: str


class Rehearsals:
    """Rehearses units and remembers how they did: a bundle never changes, so neither does its answer."""

    def __init__(self, rehearse: Rehearse) -> None:
        self._rehearse = rehearse
        self._known: dict[str, _Result] = {}

    def findings(self, manifest: Manifest, program: Program, choice: TestsChoice) -> list[Finding]:
        """What the tests of a unit say against making it active."""
        if choice == "off" or not manifest.tests:
            return []
        known = self._result(manifest, program)
        if not known.failed:
            return []
        proven = not any(capability.action != "events:emit" for capability in manifest.capabilities)
        said = f"{known.failed} of its own {len(manifest.tests)} tests fail: {known.first}"
        return [
            Finding(
                "blocking" if proven and choice == "block" else "warning",
                "tests.failed",
                manifest.id,
                said if proven else f"{said} (without what its capabilities would give it)",
                "install a version whose tests pass; 'remit unit test' on its source shows each",
            )
        ]

    def failed(self, manifest: Manifest, program: Program) -> int:
        """How many of a unit's tests fail."""
        return self._result(manifest, program).failed

    def _result(self, manifest: Manifest, program: Program) -> _Result:
        known = self._known.get(program.unit.digest)
        if known is None:
            known = self._run(manifest, program)
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[program.unit.digest] = known
        return known

    def _run(self, manifest: Manifest, program: Program) -> _Result:
        failed, first = 0, ""
        authority = _Rehearsal(program.unit, manifest.capabilities)
        try:
            parameters = msgspec.json.encode(expand(manifest.parameters.defaults)).decode()
        except RemitError as error:
            return _Result(len(manifest.tests), f"{error.code} {error.message}"[: 2 * _SHOWN])
        call = self._rehearse(program, parameters, authority)
        for test in manifest.tests:
            arguments = (test.action, msgspec.json.encode(test.input).decode())
            try:
                wrong = _wrong(call("provider.call", arguments), test.expect)
            except RemitError as error:
                wrong = f"{error.code} {error.message}"
            if wrong:
                failed += 1
                first = first or f"{test.action}: {wrong}"
        return _Result(failed, first[: 2 * _SHOWN])


def _wrong(answer: GuestOutcome, expected: Any) -> str:
    if answer.tag != "ok":
        return f"answered {answer.tag}: {answer.text[:_SHOWN]}"
    try:
        same = encode_json(msgspec.json.decode(answer.text)) == encode_json(expected)
    except (msgspec.DecodeError, RecursionError):
        same = False
    wanted = msgspec.json.encode(expected).decode()
    return "" if same else f"answered {answer.text[:_SHOWN]}, expected {wanted[:_SHOWN]}"


class _Rehearsal:
    """An authority that lets one unit emit what it declares, where nobody hears it, and refuses everything else."""

    digest = ""

    def __init__(self, unit: UnitRef, capabilities: Sequence[Capability]) -> None:
        self._grants = {
            each.resource: Grant("rehearsal", unit, each) for each in capabilities if each.action == "events:emit"
        }

    def authorize(
        self, _principal: str, _action: str, _resource: EntityRef, _context: Mapping[str, Any] | None = None
    ) -> Decision:
        return Decision("deny")

    def review(self, _unit: UnitRef, _capability: Capability) -> Decision:
        return Decision("deny")

    def inline(self, _unit: UnitRef) -> bool:
        return False

    def native(self, _unit: UnitRef) -> Decision:
        return Decision("deny")

    def activate(self, _units: Sequence[UnitRef], _grants: Sequence[Grant]) -> None:
        """Nothing stands in a rehearsal."""

    def use(
        self, unit: UnitRef, action: str, resource: str, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant:
        del method, calls, nbytes
        grant = self._grants.get(resource) if action == "events:emit" else None
        if grant is None:
            raise LeaseDenied(f"{unit.id} may not {action} on {resource} in a rehearsal")
        return grant

    def hold(self, grant: Grant, _least: Amounts, _most: Amounts) -> Hold:
        raise LeaseDenied(f"{grant.unit.id} spends nothing in a rehearsal")

    def reach(self, _grant: Grant, _origin: str, _special: str) -> Decision:
        return Decision("deny")

    def revoke(self, *_grant_ids: str) -> None:
        """Nothing stands in a rehearsal."""

    def recall(self, *_digests: str) -> None:
        """Nothing stands in a rehearsal."""

    def grants(self) -> Sequence[GrantStatus]:
        return ()
