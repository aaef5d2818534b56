"""Tests of policies: files of requests with the expected outcome and deciding policies, run like a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

import msgspec

from remit import schemas
from remit.errors import PolicyInvalid, ResourceInvalid, ValueInvalid
from remit.kernel.model import Budget, Capability, EntityRef, UnitRef
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.requests import Request, administration, capability_use, in_process
from remit.schemas.config import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.policy.sets.engine import Engine

__all__ = ["Case", "CaseResult", "junit", "run_cases"]

_MAX_FILE = 1 << 20
_RESOURCE_TYPES = {
    "action:invoke": "Action",
    "event:emit": "Topic",
    "event:subscribe": "Topic",
    "unit:install": "Unit",
    "consent:give": "Unit",
    "unit:publish": "Unit",
    "trust:change": "TrustDomain",
}


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One expectation: a unit uses a capability, or an operator does something."""

    name: str
    action: str
    expect: Literal["allow", "ask", "deny"]
    resource: str = "home"
    unit: str = ""
    operator: str = ""
    policies: tuple[str, ...] | None = None
    """Ids of the policies that must have decided, all of them; any may, where absent."""
    admission: Literal["signed", "local"] = "signed"
    version: str = "1.0.0"
    kind: Literal["config", "transform", "tool", "native"] = "tool"
    declared: bool = True
    approved: bool = False
    quarantined: bool = False
    methods: tuple[str, ...] = ()
    calls: int | None = None
    bytes: int | None = None
    host_us: int | None = None
    fuel: int | None = None
    window_ms: int = 3_600_000
    roles: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    resource_type: Literal["Home", "Unit", "Action", "Grant", "Topic", "Document", "TrustDomain", ""] = ""
    context: dict[str, bool | int | str] = {}


class CaseResult(msgspec.Struct, frozen=True):
    """How a case came out."""

    file: str
    name: str
    ok: bool
    expected: str
    outcome: str
    policies: tuple[str, ...]
    message: str = ""
    """What is wrong, where it is not ok."""


def run_cases(engine: Engine, files: Mapping[str, str]) -> list[CaseResult]:
    """Run every ``[[case]]`` of these TOML files, in order.

    :raises PolicyInvalid: if a file is not TOML, or a case is malformed
    """
    decider = Decider(engine)
    return [_run(decider, file, case) for file, text in files.items() for case in _parse(file, text)]


def _parse(file: str, text: str) -> list[Case]:
    try:
        document = schemas.load_toml(text.encode(), limit=_MAX_FILE)
        cases = msgspec.convert(document, dict[str, list[Case]])
    except (ValueInvalid, msgspec.ValidationError) as error:
        raise PolicyInvalid(f"{file}: {error}", remedy="write [[case]] tables; see docs/policy.md") from error
    if cases.keys() != {"case"}:
        raise PolicyInvalid(f"{file} has no [[case]], or something else", remedy="write [[case]] tables")
    return cases["case"]


def _run(decider: Decider, file: str, case: Case) -> CaseResult:
    expected = case.expect + (f" by {', '.join(sorted(case.policies))}" if case.policies is not None else "")
    try:
        decision = decider.decide(_request(case))
    except ResourceInvalid as error:
        return CaseResult(file, case.name, ok=False, expected=expected, outcome="", policies=(), message=error.message)
    fits = case.policies is None or set(case.policies) == set(decision.policies)
    ok = decision.outcome == case.expect and fits
    by = f" by {', '.join(decision.policies)}" if decision.policies else f": {decision.reason}"
    message = "" if ok else f"expected {expected}, got {decision.outcome}{by}"
    return CaseResult(file, case.name, ok, expected, decision.outcome, decision.policies, message)


def _request(case: Case) -> Request:
    if bool(case.unit) == bool(case.operator):
        raise ResourceInvalid("a case names a unit or an operator")
    if case.operator:
        kind = case.resource_type or _RESOURCE_TYPES.get(case.action, "Home")
        resource = EntityRef(kind, case.resource)  # type: ignore[arg-type]  # the table holds only known types
        known = Operator(case.roles, case.publishes)
        return administration(case.operator, known, case.action, resource, case.context, units={}, grants={})
    unit = UnitRef(case.unit, case.version, "sha256:test", case.kind, case.admission)
    quarantined = frozenset({unit.publisher}) if case.quarantined else frozenset()
    if case.action in {"unit:inline", "unit:native"}:
        return in_process(case.action, unit, quarantined=quarantined)
    bounds = (case.calls, case.bytes, case.host_us, case.fuel)
    budget = Budget(case.window_ms, *bounds) if any(bound is not None for bound in bounds) else None
    return capability_use(
        unit,
        Capability(case.action, case.resource, case.methods, budget),
        declared=case.declared,
        approved=case.approved,
        units={},
        quarantined=quarantined,
    )


def junit(results: Sequence[CaseResult]) -> str:
    """The results as JUnit XML, one suite a file."""
    root = ET.Element("testsuites", tests=str(len(results)), failures=str(sum(not one.ok for one in results)))
    for file in dict.fromkeys(one.file for one in results):
        mine = [one for one in results if one.file == file]
        failures = str(sum(not one.ok for one in mine))
        suite = ET.SubElement(root, "testsuite", name=_xml(file), tests=str(len(mine)), failures=failures)
        for one in mine:
            case = ET.SubElement(suite, "testcase", classname=_xml(file), name=_xml(one.name))
            if not one.ok:
                ET.SubElement(case, "failure", message=_xml(one.message))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)
