"""Changes of whom a home trusts: what an operator brings, checked, as facts for the journal. Pure.

Who may make them is policy's to say (``trust:change``).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from remit.errors import TrustUnknown, UsageError
from remit.registry.oci import sha256
from remit.registry.trust.holdings import Holdings
from remit.registry.trust.model import Identity, Signer

__all__ = ["TrustView", "imported", "retired", "view"]

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}")
_PUBLISHER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_MOST = 64


class SignerView(msgspec.Struct, frozen=True):
    """Who signs for a publisher."""

    publisher: str
    signer: Signer
    pin: str
    """``named`` by an operator, ``first`` that was admitted, or ``retired``."""
    root: str
    """Under which trusted root; "" for a key, and for whoever is retired."""


class TrustView(msgspec.Struct, frozen=True):
    """What a home trusts."""

    roots: dict[str, str]
    """``sha256:…`` of each trusted root, by name."""
    keys: tuple[str, ...]
    signers: tuple[SignerView, ...]
    floors: dict[str, str]
    """The highest signed version that was admitted, by unit: lower ones need an override."""


def view(holdings: Holdings) -> TrustView:
    """What is trusted, for people."""
    return TrustView(
        roots={name: sha256(text.encode()) for name, text in sorted(holdings.roots.items())},
        keys=tuple(sorted(holdings.keys)),
        signers=tuple(
            SignerView(publisher, one.signer, one.pin, one.root)
            for publisher, known in sorted(holdings.signers.items())
            for one in known
        ),
        floors=dict(sorted(holdings.floors.items())),
    )


def imported(
    holdings: Holdings, text: str, name: str = "", publisher: str = "", identity: Identity | None = None
) -> dict[str, Any]:
    """What ``trust.imported`` says: a trusted root, a public key, or only who signs for a publisher.

    :param text: ``trusted_root.json``, a client's trust configuration, or a public key in PEM; "" for neither
    :param name: what to call a root, by default what it calls itself; or, without a text, the root under which the
        identity signs, by default the only one
    :param publisher: for whom a key or an identity signs
    :raises Rejected: if the root or the key cannot be used
    :raises UsageError: if the parts do not go together
    :raises TrustUnknown: if there is no root that could vouch for the identity
    """
    if publisher and not _PUBLISHER.fullmatch(publisher):
        raise UsageError(f"{publisher[:80]!r} is no publisher", remedy="name the part of a unit's id before '/'")
    if bool(publisher) != bool(identity or text.lstrip().startswith("-----")):
        raise UsageError(
            "a publisher goes with who signs for it",
            remedy="give --publisher together with a key, or with --identity and --issuer",
        )
    if text.lstrip().startswith("-----"):
        return _key(text, publisher)
    signer = msgspec.to_builtins(Signer(identity.subject, identity.issuer)) if identity else None
    kind = "signer"
    if text:
        kind, text, name = "root", *_root(text, name)
        if len({*holdings.roots, name}) > _MOST:
            raise UsageError(f"a home trusts at most {_MOST} roots", remedy="run 'remit trust retire' first")
    elif identity is None:
        raise UsageError("there is nothing to import", remedy="name a trusted root, a key, or an identity")
    else:
        name = _vouching(holdings, name)
    return {"kind": kind, "name": name, "text": text, "publisher": publisher, "signer": signer}


def retired(
    holdings: Holdings, name: str = "", publisher: str = "", identity: Identity | None = None
) -> dict[str, Any]:
    """What ``trust.retired`` says.

    :param name: of a root or a key
    :raises TrustUnknown: if nothing of that name is trusted, or they do not sign for the publisher
    :raises UsageError: if it is neither a name nor a publisher's identity
    """
    if bool(name) == bool(publisher) or (identity is not None) != bool(publisher):
        raise UsageError(
            "say what to retire", remedy="name a root or a key, or give --publisher with --identity and --issuer"
        )
    if identity is not None:
        signer = Signer(identity.subject, identity.issuer)
        if holdings.pin(publisher, signer) in (None, "retired"):
            raise TrustUnknown(f"{signer.text} does not sign for {publisher[:80]}")
        return {"kind": "signer", "name": "", "publisher": publisher, "signer": msgspec.to_builtins(signer)}
    kind = "root" if name in holdings.roots else "key" if name in holdings.keys else ""
    if not kind:
        raise TrustUnknown(f"no root and no key is called {name[:100]!r}")
    return {"kind": kind, "name": name, "publisher": "", "signer": None}


def _vouching(holdings: Holdings, name: str) -> str:
    if name in holdings.roots:
        return name
    if name or not holdings.roots:
        raise TrustUnknown(f"no root {name[:80]!r} is trusted" if name else "no root is trusted that could vouch")
    if len(holdings.roots) > 1:
        raise UsageError(f"{len(holdings.roots)} roots are trusted", remedy="say with --name which one vouches")
    [only] = holdings.roots
    return only


def _key(text: str, publisher: str) -> dict[str, Any]:
    from remit.registry.trust.keys import id_of, read_key  # noqa: PLC0415 - loads cryptography

    name = id_of(read_key(text.encode()))
    signer = msgspec.to_builtins(Signer(key=name))
    return {"kind": "key", "name": name, "text": text, "publisher": publisher, "signer": signer}


def _root(text: str, name: str) -> tuple[str, str]:
    from remit.registry.trust.root import Root  # noqa: PLC0415 - loads Sigstore

    authorities = Root(text.encode()).document.certificate_authorities
    subject = authorities[0].subject if authorities else None
    name = name or (subject.common_name if subject else "") or ""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} is no name for a root", remedy="give --name")
    return text, name
