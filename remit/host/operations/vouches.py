"""What the façade's ``Vouching`` does: policy says who may change trust, the journal keeps it.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

from typing import Any

from remit.host.operations.governance import Context
from remit.host.operations.supplies import Supplies
from remit.journal import Draft
from remit.kernel.model import EntityRef, Verification
from remit.registry.trust import Identity
from remit.registry.trust.changes import TrustView, imported, retired, view
from remit.registry.trust.holdings import Holdings, HoldingsFold

__all__ = ["Vouches"]


class Vouches(Supplies):
    """See the façade."""

    @property
    def _holdings(self) -> Holdings:
        state: Holdings = self._rooms.folds.state(HoldingsFold.name)
        return state

    def trust(self, _context: Context) -> TrustView:
        return view(self._holdings)

    def trust_import(
        self, context: Context, text: str, name: str, publisher: str, identity: Identity | None
    ) -> TrustView:
        self._may_change(context, "import", name or publisher)
        return self._change(context, "import", imported(self._holdings, text, name, publisher, identity))

    def trust_retire(self, context: Context, name: str, publisher: str, identity: Identity | None) -> TrustView:
        self._may_change(context, "retire", name or publisher)
        return self._change(context, "retire", retired(self._holdings, name, publisher, identity))

    def _may_change(self, context: Context, change: str, what: str) -> None:
        """Ask before anything that was given is read; what is found in it is asked about afterwards."""
        self._allow(context, "trust:change", EntityRef("TrustDomain", what), change=change)

    def _change(self, context: Context, change: str, facts: dict[str, Any]) -> TrustView:
        signer = facts["signer"] or {}
        about = {"namespace": facts["publisher"], "issuer": signer.get("issuer", "")}
        about["signer"] = signer.get("subject") or signer.get("key", "")
        what = facts["name"] or facts["publisher"]
        self._allow(context, "trust:change", EntityRef("TrustDomain", what), change=change, **about)
        kind = "trust.imported" if change == "import" else "trust.retired"
        data = {**facts, "principal": context.caller.principal, "client": context.caller.client}
        self._rooms.journal.append([Draft(type=kind, subject=what, data=data)])
        return view(self._holdings)

    def verify(self, context: Context, reference: str) -> Verification:
        # Whoever may ask has the kernel open files and connections: that is for those who may install.
        self._allow(context, "unit:install")
        return self._rooms.lifecycle.verify(self._fetch(reference, context.progress))
