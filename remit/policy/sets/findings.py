"""What is wrong with a policy file, where. Data only; ``prescan``, ``policyset``, ``canaries`` find it."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Finding", "refuse"]

from remit.errors import PolicyInvalid


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault or doubt. An ``error`` keeps the set from being loaded."""

    file: str
    message: str
    severity: Literal["error", "warning"] = "error"
    policy: str = ""
    """The policy's ``@id``, where it has one."""
    line: int = 0
    """From 1; 0 where the fault has no line."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f" {self.policy}:" if self.policy else ""
        return f"{place}:{subject} {self.message}"


def refuse(findings: list[Finding]) -> PolicyInvalid:
    """The error that lists every fault among the findings."""
    faults = [finding for finding in findings if finding.severity == "error"]
    message = "; ".join(str(fault) for fault in faults[:5])
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""  # noqa: PLR2004 - a screen's worth
    return PolicyInvalid(
        f"the policies have {len(faults)} fault(s): {message}{more}",
        faults=[{"file": f.file, "line": f.line, "policy": f.policy, "message": f.message} for f in faults],
    )
