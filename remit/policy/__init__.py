"""The policy room: Cedar decides, leases carry the decision, budgets bound it. Nothing here is imported by other rooms.

The kernel meets it through the ``Authority`` port; ``remit.policy.plugin`` provides that. Heavy parts (Cedar itself)
load on first use of :mod:`remit.policy.engine` and not with this façade.
"""

from __future__ import annotations

from remit.policy.findings import Finding
from remit.policy.models import LeaseBook, Leases
from remit.policy.resources import GRAMMARS, Resource, covers, parse_resource

__all__ = ["GRAMMARS", "Finding", "LeaseBook", "Leases", "Resource", "covers", "parse_resource"]
