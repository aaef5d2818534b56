"""The façade's part for whom a home trusts: roots, keys, who signs for which publisher, and what a signature shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from remit.journal import Progress, no_progress
from remit.kernel.model import Caller, Verification
from remit.registry.trust import Identity
from remit.registry.trust.changes import TrustView

__all__ = ["Vouching"]

T = TypeVar("T")
_LOCAL = Caller()


class Vouching(ABC):
    """Mixed into the façade."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def trust(self, *, caller: Caller = _LOCAL) -> TrustView:
        """Whom the home trusts."""
        return self.perform("trust", {}, TrustView, caller=caller, progress=no_progress)

    def trust_import(
        self,
        text: str = "",
        *,
        name: str = "",
        publisher: str = "",
        identity: Identity | None = None,
        caller: Caller = _LOCAL,
    ) -> TrustView:
        """Trust somebody: all that a root vouches for, the holder of a key, or an identity as a publisher.

        :param text: a trusted root (JSON) or a public key (PEM); "" to say only who signs for a publisher
        :param name: what to call a root, where one of that name is replaced; or, without a text, which root vouches
        :param publisher: for whom the key or the identity signs
        :raises Rejected: if the root or key cannot be used
        :raises Denied: if policy does not let the caller change trust
        """
        arguments = {"text": text, "name": name, "publisher": publisher, "identity": identity}
        return self.perform("trust_import", arguments, TrustView, caller=caller, progress=no_progress)

    def trust_retire(
        self, name: str = "", *, publisher: str = "", identity: Identity | None = None, caller: Caller = _LOCAL
    ) -> TrustView:
        """Trust somebody no longer: what they sign is refused from now on. What was admitted stays.

        :param name: of a root or a key; or give a publisher and who signs for it no more
        :raises TrustUnknown: if they are not trusted
        :raises Denied: if policy does not let the caller change trust
        """
        arguments = {"name": name, "publisher": publisher, "identity": identity}
        return self.perform("trust_retire", arguments, TrustView, caller=caller, progress=no_progress)

    def verify(self, reference: str, *, caller: Caller = _LOCAL, progress: Progress = no_progress) -> Verification:
        """Where a unit comes from, by whom the home trusts. Nothing is admitted.

        :raises Rejected: if it is signed, and no signature is to be believed
        :raises UnsignedRefused: if it is not signed, and no folder
        :raises Denied: if policy does not let the caller install units
        """
        return self.perform("verify", {"reference": reference}, Verification, caller=caller, progress=progress)
