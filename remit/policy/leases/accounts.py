"""The accounts of a home's grants: what this process charged, what the journal knows, what was reserved before use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from remit.journal.event import Draft
from remit.policy.leases.budgets import Account, Usage
from remit.policy.leases.standing import Holding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remit.kernel.model import Grant, UnitRef
    from remit.policy.leases.models import LeaseBook

__all__ = ["Accounts"]


class Accounts:
    """One account for each grant id, for as long as its window lasts. Safe to share between threads."""

    def __init__(self, write: Callable[[Sequence[Draft]], object]) -> None:
        """:param write: makes events durable, or raises"""
        self._write = write
        self._lock = threading.Lock()
        self._by_id: dict[str, Account] = {}

    def of(self, grant: Grant, book: LeaseBook, parent: Account | None = None) -> Account:
        """The account of a grant: this process's, or one that begins where the journal says.

        :param parent: the account of the grant that it was delegated from
        """
        with self._lock:
            account = self._by_id.get(grant.id)
            if account is None:
                usage = book.usage.get(grant.id, Usage()).merged(book.reserved.get(grant.id, Usage()))
                account = Account(grant.capability.budget, usage, lambda total: self._reserve(grant.id, total), parent)
                self._by_id[grant.id] = account
            return account

    def holdings(self, units: Sequence[UnitRef], grants: Sequence[Grant], book: LeaseBook) -> list[Holding]:
        """The grants of a generation with their accounts, and those delegated from them to units that are in it."""
        known = {grant.id: Holding(grant, self.of(grant, book)) for grant in grants}
        for grant in book.delegated.values():
            parent = known.get(grant.parent)
            if parent is not None and grant.unit in units:
                known[grant.id] = Holding(grant, self.of(grant, book, parent.account), parent)
        return list(known.values())

    def _reserve(self, grant_id: str, total: Usage) -> None:
        self._write([_said("lease.reserved", grant_id, total)])

    def settle(self) -> None:
        """Write down exactly what was used, so that nothing that was only reserved counts after a clean end."""
        with self._lock:
            settled = [(grant_id, account.settle()) for grant_id, account in self._by_id.items()]
        drafts = [_said("lease.settled", grant_id, usage) for grant_id, usage in settled if usage is not None]
        if drafts:
            self._write(drafts)

    def forget(self, now_ms: int, active: frozenset[str]) -> None:
        """Drop accounts that no grant uses and whose window is over."""
        with self._lock:
            for grant_id, account in list(self._by_id.items()):
                resets = account.resets_ms(account.usage.start_ms)
                if grant_id not in active and (resets is None or resets <= now_ms):
                    del self._by_id[grant_id]


def _said(kind: str, grant_id: str, usage: Usage) -> Draft:
    return Draft(type=kind, subject=grant_id, data={"grant": grant_id, "usage": msgspec.to_builtins(usage)})
