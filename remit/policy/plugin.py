"""The policy room's hooks: Cedar as the home's authority, and the read model of its leases.

Cedar loads when a home is composed, not when the plugin is registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.kernel.hookspecs import hookimpl
from remit.policy.leases.ledger import Egress
from remit.policy.leases.models import Budgets, Leases
from remit.policy.reviewing.history import SetHistory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.journal.fold import Fold, Folds
    from remit.journal.log import Journal
    from remit.kernel.ports import Authority, Clock, Home, Ids
    from remit.policy.sets.findings import Finding

__all__ = ["check_home", "remit_authority", "remit_read_models", "remit_shutdown"]


@hookimpl
def remit_authority(home: Home, clock: Clock, ids: Ids, folds: Folds, journal: Journal) -> Authority:
    """Cedar under the home's posture and its own files.

    :raises PolicyInvalid: if any of them is wrong; the home does not start without its policies
    """
    del ids  # decisions need no randomness
    from remit.policy.authority import CedarAuthority  # noqa: PLC0415 - loads Cedar
    from remit.policy.postures import load, read_files  # noqa: PLC0415 - loads Cedar
    from remit.policy.sets.findings import refuse  # noqa: PLC0415 - beside the others
    from remit.policy.sets.yielding import at_once  # noqa: PLC0415 - beside the others

    chosen = home.config.policy
    files, findings = read_files(home.root, chosen.files)
    if findings:
        raise refuse(findings)
    with at_once():
        policies = load(chosen.posture, files)
    operators = home.config.operators
    return CedarAuthority(
        policies, clock=clock, folds=folds, operators=operators, write=journal.append, home=str(home.root)
    )


@hookimpl
def remit_shutdown(authority: Authority) -> None:
    """What budgets hold in reserve is given back when a kernel ends in order."""
    settle = getattr(authority, "settle", None)  # another plugin's authority may have none
    if settle is not None:
        settle()


@hookimpl
def remit_read_models() -> Sequence[Fold[Any]]:
    """The read models ``leases``, ``budgets``, ``egress`` and ``policy``."""
    return (Leases(), Budgets(), Egress(), SetHistory())


def check_home(home: Home) -> list[Finding]:
    """Everything that is wrong with a home's policies: for ``remit policy check``. Decides nothing."""
    from remit.policy.postures import check, read_files  # noqa: PLC0415 - loads Cedar

    files, findings = read_files(home.root, home.config.policy.files)
    return findings + check(home.config.policy.posture, files)
