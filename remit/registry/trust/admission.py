"""Where a unit's bundle comes from, by what a home trusts: the answer to the kernel's port ``Verifier``. No network.

Finds facts; whether they suffice is policy's to say (``unit:install``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import ManifestInvalid, UnsignedRefused, ValueInvalid
from remit.errors.signatures import KeyUnknown, PredicateType, Rejected, RootMissing, SignerRetired
from remit.kernel.model import Verification
from remit.registry.bundle import verify as check_bytes
from remit.registry.oci import SIGNATURE
from remit.registry.trust.lookalikes import POPULAR, resembled
from remit.registry.trust.model import Artifact
from remit.schemas import load_toml
from remit.schemas.versions import Version, is_version

if TYPE_CHECKING:
    from remit.kernel.model import Bundle
    from remit.registry.trust.holdings import Holdings
    from remit.registry.trust.model import Verified
    from remit.registry.trust.root import Root

__all__ = ["AdmissionVerifier"]

_MOST_ROOTS = 16
"""Trusted roots that stay parsed."""


class AdmissionVerifier:
    """Judges bundles for a home.

    :param holdings: what the home trusts, now
    :param wanted: names that the operator wrote down: units, and publishers
    """

    def __init__(self, holdings: Callable[[], Holdings], wanted: Callable[[], frozenset[str]]) -> None:
        self._holdings = holdings
        self._wanted = wanted

    def verify(self, bundle: Bundle) -> Verification:
        """Judge the signatures of a bundle, and that its bytes are what they are about.

        :raises Rejected: if there are signatures and none is to be believed
        :raises UnsignedRefused: if there is none, and it is no local folder
        :raises BundleInvalid: if its bytes are not what its digest says
        """
        check_bytes(bundle)
        unit, version = _names(bundle.unit_toml)
        holdings = self._holdings()
        likeness = resembled(unit, {*POPULAR, *holdings.units, *holdings.signers, *self._wanted()})
        warnings: tuple[str, ...] = (f"{unit} could be taken for {likeness}",) if likeness else ()
        if not any(referrer.artifact_type == SIGNATURE for referrer in bundle.referrers):
            if not bundle.local:
                raise UnsignedRefused(
                    f"{bundle.origin} is not signed",
                    remedy="ask its publisher to sign it; --allow-unsigned is for local folders only",
                )
            return Verification("local", facts={"resembles": likeness}, warnings=warnings)
        root, found = _preferred(bundle, unit, version, holdings)
        publisher = unit.partition("/")[0]
        pin = holdings.pin(publisher, found.signer, root)
        known = "same" if pin else "other" if holdings.pinned(publisher) else "first"
        if known == "other":
            warnings += (f"units of {publisher} were signed by somebody else so far",)
        floor = holdings.floors.get(unit)
        lower = floor is not None and is_version(version) and Version(version) < Version(floor)
        rollback = lower and bundle.digest not in holdings.admitted
        return Verification(
            "signed",
            found.signer.text,
            facts={
                "issuer": found.signer.issuer,
                "pin": known,
                "resembles": likeness,
                "rollback": rollback,
                "root": root,
                "signer": found.signer.subject or found.signer.key,
            },
            record=_record(found, root),
            warnings=(*warnings, *([f"{unit}@{floor} was admitted before"] if rollback else [])),
        )


def _preferred(bundle: Bundle, unit: str, version: str, holdings: Holdings) -> tuple[str, Verified]:
    """The signature that says most: of somebody who signs for the publisher, before anybody's."""
    publisher = unit.partition("/")[0]
    strangers: list[tuple[str, Verified]] = []
    refused: list[Rejected] = []
    for referrer in bundle.referrers:
        if referrer.artifact_type != SIGNATURE:
            continue
        try:
            believed = _release(bundle, unit, version, referrer.data, holdings)
        except Rejected as error:
            refused.append(error)
            continue
        for root, found in believed:
            pin = holdings.pin(publisher, found.signer, root)
            if pin == "retired":
                refused.append(SignerRetired(f"{found.signer.text} signs no longer for {publisher}"))
            elif pin:
                return root, found
            else:
                strangers.append((root, found))
    if strangers:
        return strangers[0]
    # What is said about a release (a list of parts, a provenance) is no fault, and not what was looked for either.
    raise next((error for error in refused if not isinstance(error, PredicateType)), refused[0])


def _release(bundle: Bundle, unit: str, version: str, data: bytes, holdings: Holdings) -> list[tuple[str, Verified]]:
    """By whom a signature is believed to be, under each root or key that vouches for it: at least one."""
    from remit.registry.trust.statement import check_release  # noqa: PLC0415 - after what loads Sigstore

    believed: list[tuple[str, Verified]] = []
    refused: Rejected | None = None
    for root, verify in _ways(data, Artifact.of(bundle.oci_manifest), holdings):
        try:
            found = verify()
        except Rejected as error:
            refused = refused or error
            continue
        if found.statement is None:
            raise PredicateType("the signature is over the manifest itself, and says nothing of a release")
        check_release(found.statement, unit, version, bundle.unit_toml)
        believed.append((root, found))
    if refused is not None and not believed:
        raise refused
    return believed


def _ways(data: bytes, artifact: Artifact, holdings: Holdings) -> Iterator[tuple[str, Callable[[], Verified]]]:
    """How a signature could be believed: under the key that it names, or under each trusted root.

    :raises Rejected: if it is malformed, or there is no way
    """
    from remit.registry.trust.keys import hint_of, read_key  # noqa: PLC0415 - loads cryptography
    from remit.registry.trust.shape import key_hint  # noqa: PLC0415 - loads Sigstore
    from remit.registry.trust.verifier import verify_identity, verify_key  # noqa: PLC0415 - beside it

    hint, seen, roots = key_hint(data), holdings.checkpoints, [*map(_parsed, holdings.roots.values())]
    if hint is None:
        if not roots:
            raise RootMissing("the home trusts no root yet, and the unit is signed under one")
        for name, root in zip(holdings.roots, roots, strict=True):
            yield name, partial(verify_identity, data, artifact, root, None, seen)
        return
    fitting = {name: pem.encode() for name, pem in holdings.keys.items()}
    fitting = {name: pem for name, pem in fitting.items() if hint in ("", name, hint_of(read_key(pem)))}
    if not fitting:
        raise KeyUnknown(f"it is signed with a key that is not trusted here: {hint[:100]!r}")
    for name, pem in fitting.items():
        for under in (*roots, None):
            yield name, partial(verify_key, data, artifact, pem, under, seen)


@lru_cache(_MOST_ROOTS)
def _parsed(text: str) -> Root:
    from remit.registry.trust.root import Root  # noqa: PLC0415 - loads Sigstore

    return Root(text.encode())


def _names(unit_toml: bytes) -> tuple[str, str]:
    """The id and version that a manifest says; the rest of it is judged elsewhere."""
    try:
        document = load_toml(unit_toml)
    except ValueInvalid as error:
        raise ManifestInvalid(f"unit.toml: {error.message}", faults=error.details["faults"]) from error
    unit, version = document.get("id"), document.get("version")
    if not isinstance(unit, str) or not isinstance(version, str):
        raise ManifestInvalid("unit.toml lacks id or version", faults=["id and version are texts"])
    return unit, version


def _record(found: Verified, root: str) -> dict[str, Any]:
    about = msgspec.to_builtins({"signer": found.signer, "checkpoints": found.checkpoints})
    shown = next((f"{one.origin} {one.size} {one.root}" for one in found.checkpoints), "")
    return {"signature": {"root": root, "signed_at_ms": found.signed_at_ms, **about}, "checkpoint": shown}
