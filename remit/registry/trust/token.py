"""Identity tokens of a trust domain: its own word, for minutes, on who somebody is.

Source: OpenID Connect Core 1.0, section 2; RFC 7519.
"""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from remit.errors import TokenInvalid
from remit.registry.trust.model import Identity

__all__ = ["issue", "read"]

_AUDIENCE = "sigstore"
_ALGORITHM = "ES256"
_LIFETIME_S = 600
_SKEW_S = 30
_MOST = 8 << 10


def issue(key: ec.EllipticCurvePrivateKey, identity: Identity, now_s: int, lifetime_s: int = _LIFETIME_S) -> str:
    """A token for somebody."""
    claims: dict[str, Any] = {
        "iss": identity.issuer,
        "aud": _AUDIENCE,
        "sub": identity.subject,
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + lifetime_s,
    }
    if "@" in identity.subject and "://" not in identity.subject:
        claims |= {"email": identity.subject, "email_verified": True}
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(key: ec.EllipticCurvePublicKey, token: str, issuer: str, now_s: int) -> Identity:
    """Who a token is for.

    :raises TokenInvalid: if it is not ours, expired, or malformed
    """
    options: Any = {
        "require": ["iss", "aud", "sub", "exp"],
        "verify_exp": False,  # by our own clock, below
        "verify_nbf": False,
        "verify_iat": False,
    }
    try:
        if len(token) > _MOST:
            raise TokenInvalid("the token is too long")
        claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, issuer=issuer, options=options)
        begins, ends = int(claims.get("nbf", 0)), int(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise TokenInvalid(f"the token is not one of this domain: {error}") from error
    if not begins - _SKEW_S <= now_s <= ends:
        raise TokenInvalid("the token has expired, or does not count yet")
    return Identity(str(claims.get("email") or claims["sub"]), issuer)
