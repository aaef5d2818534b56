"""The policy room: Cedar decides, leases carry the decision, budgets bound it. Nothing here is imported by other rooms.

The kernel meets it through the ``Authority`` port; ``remit.policy.plugin`` provides that. Heavy parts (Cedar itself)
load on first use of :mod:`remit.policy.sets.engine` and not with this façade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.policy.deciding.resources import GRAMMARS, Resource, covers, parse_resource
from remit.policy.leases.models import LeaseBook, Leases
from remit.policy.sets.findings import Finding

if TYPE_CHECKING:
    from remit.policy.sets.engine import Answer, Engine, Facts

__all__ = [
    "GRAMMARS",
    "Answer",
    "Engine",
    "Facts",
    "Finding",
    "LeaseBook",
    "Leases",
    "Resource",
    "covers",
    "parse_resource",
]


def __getattr__(name: str) -> Any:
    if name in {"Answer", "Engine", "Facts"}:
        from remit.policy.sets import engine  # noqa: PLC0415 - loads Cedar

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
