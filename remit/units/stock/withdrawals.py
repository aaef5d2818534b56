"""Which capabilities were revoked from which unit and not given anew since: no change may revive them in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.journal import Record, digest_of, encode_json
from remit.kernel.model import Capability, Grant

__all__ = ["Withdrawals", "WithdrawalsFold", "capability_key"]


def capability_key(unit_id: str, capability: Capability) -> str:
    """What was revoked: an action on a resource from a unit, whatever its version. One short key."""
    return digest_of(encode_json([unit_id, capability.action, capability.resource]))


class Withdrawals(msgspec.Struct, frozen=True):
    """Keys of revoked capabilities, and the key of every grant that was ever given."""

    given: Mapping[str, str] = {}
    withdrawn: frozenset[str] = frozenset()


class WithdrawalsFold:
    """Folds ``grant.given`` and ``grant.revoked``."""

    name = "withdrawals"
    version = 2
    topics: tuple[str, ...] = ("grant.given", "grant.revoked")

    def init(self) -> Withdrawals:
        """Nothing given, nothing withdrawn."""
        return Withdrawals()

    def apply(self, state: Withdrawals, records: Sequence[Record], data: Callable[[Record], Any]) -> Withdrawals:
        """Follow grants as they are given and revoked."""
        given, withdrawn = dict(state.given), set(state.withdrawn)
        for record in records:
            if not record.from_kernel:
                continue
            facts = data(record)
            if record.event.type == "grant.revoked":
                withdrawn.update({given[facts["id"]]} if facts["id"] in given else ())
                continue
            grant = msgspec.convert(facts, Grant)
            given[grant.id] = capability_key(grant.unit.id, grant.capability)
            withdrawn.discard(given[grant.id])
        return Withdrawals(given, frozenset(withdrawn))

    def snapshot(self, state: Withdrawals) -> bytes:
        """The keys as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Withdrawals:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Withdrawals)

    def view(self, state: Withdrawals) -> object:
        """The revoked capabilities."""
        return sorted(state.withdrawn)
