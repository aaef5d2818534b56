"""A trust domain: a complete Sigstore of one's own in a folder, usable in process and as a service.

It has an authority that certifies identities for minutes, with its certificate log; a transparency log; a timestamp
authority; a key for identity tokens; and ``trusted_root.json``, the one file that others need. All its keys are on one
machine: it shows that the holder of the folder signed, and no independent witness watches them (docs/threat-model.md).
"""

from __future__ import annotations

import base64
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from remit.errors import DomainExists, DomainInvalid, SigningFailed
from remit.journal.files import sync_folder, translate_os_error, write_atomically
from remit.journal.ports import Clock, Ids, SystemClock, SystemIds
from remit.registry.trust import token
from remit.registry.trust.authority import (
    CertificateLog,
    CertificateMaker,
    authority_certificate,
    stamping_certificate,
)
from remit.registry.trust.keys import spki
from remit.registry.trust.log import TransparencyLog
from remit.registry.trust.model import Identity
from remit.registry.trust.naming import ROTATABLE, Rotatable
from remit.registry.trust.note import key_id
from remit.registry.trust.stamper import Stamper
from remit.schemas import formats

__all__ = ["Domain"]

_ABOUT = "domain.json"
_ROOT = "trusted_root.json"
_LISTS = {
    "authority": "certificateAuthorities",
    "certificate-log": "ctlogs",
    "log": "tlogs",
    "timestamps": "timestampAuthorities",
}
_LIFETIME = timedelta(days=3650)
_EARLIER = timedelta(hours=1)
"""How long before its making a new domain counts: clocks of others may be behind."""
_SUBJECT = re.compile(r"[!-?A-~]{1,64}@[a-zA-Z0-9.-]{1,253}|[a-z][a-z0-9+.-]*://[!-~]+")
_MOST_SUBJECT = 2_000
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``domain.json``."""

    format: str
    name: str
    """A host name, by which the log is known; nothing need answer there."""
    keys: int = 1
    """Number of the folder with the keys. Changing it is what makes a rotation happen."""
    log: int = 1
    """Number of the log that is written."""

    @property
    def folder(self) -> str:
        """The folder with the keys, by name."""
        return f"keys{self.keys}"

    @property
    def issuer(self) -> str:
        """Who vouches for the identities of the domain."""
        return f"https://oidc.{self.name}"

    @property
    def origin(self) -> str:
        """The log's name."""
        return f"log{self.log}.{self.name}"


class Domain:
    """An open trust domain."""

    def __init__(self, folder: Path, clock: Clock | None = None, ids: Ids | None = None) -> None:
        """Open the domain in a folder.

        :raises DomainInvalid: if it is none, or others can read its keys
        :raises LogDamaged: if its log lost what it promised
        """
        self.folder = folder
        self.clock = clock or SystemClock()
        self.ids = ids or SystemIds(self.clock)
        self._load()

    @classmethod
    def create(cls, folder: Path, name: str, clock: Clock | None = None, ids: Ids | None = None) -> Domain:
        """Make a domain: all of it, or nothing.

        :raises DomainExists: if something is there already
        """
        clock = clock or SystemClock()
        ids = ids or SystemIds(clock)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DomainExists(f"{folder} is not empty")
        building = folder.with_name(f".{folder.name}.{ids.new()}.new")
        try:
            building.mkdir(parents=True, mode=0o755)
            about = About(formats.DOMAIN, name)
            (building / about.folder).mkdir(mode=0o700)
            root: dict[str, Any] = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}
            root |= {listed: [] for listed in ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")}
            maker = _Maker(building / about.folder, about, _now(clock), ids)
            for what in ROTATABLE:
                maker.make(what, root, begins=_now(clock) - _EARLIER)
            _write_json(building / _ABOUT, msgspec.to_builtins(about))
            _write_json(building / _ROOT, root)
            if folder.exists():
                folder.rmdir()
            building.rename(folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise translate_os_error(error, f"making {folder}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return cls(folder, clock, ids)

    def _load(self) -> None:
        try:
            self._stamp = (self.folder / _ABOUT).stat().st_mtime_ns
            self.about = msgspec.json.decode((self.folder / _ABOUT).read_bytes(), type=About)
            root = (self.folder / _ROOT).read_bytes()
            if self.about.format != formats.DOMAIN:
                raise DomainInvalid(f"{self.folder} is a trust domain of another format: {self.about.format[:50]}")
            keys = self.folder / self.about.folder
            if keys.stat().st_mode & 0o077 or keys.stat().st_uid != os.getuid():
                raise DomainInvalid(f"{keys} is open to others", remedy=f"chmod 700 {keys}; the keys may be known")
            self.trusted_root = root
            self._authority = CertificateMaker(
                _certificate(keys / "authority.crt"),
                _key(keys / "authority.pem", ec.EllipticCurvePrivateKey),
                CertificateLog(_key(keys / "certificate-log.pem", ec.EllipticCurvePrivateKey)),
            )
            self._above = _certificate(keys / "authority-root.crt")
            self.stamper = Stamper(
                _certificate(keys / "timestamps.crt"), _key(keys / "timestamps.pem", ec.EllipticCurvePrivateKey)
            )
            self._tokens = _key(keys / "tokens.pem", ec.EllipticCurvePrivateKey)
            log_key = _key(keys / "log.pem", ed25519.Ed25519PrivateKey)
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise DomainInvalid(f"{self.folder} is no trust domain: {error}") from error
        self.log = TransparencyLog(self.folder / f"log{self.about.log}", self.about.origin, log_key)

    # ---- what its parts do ----

    @property
    def issuer(self) -> str:
        """Who vouches for the identities of the domain."""
        return self.about.issuer

    def token(self, subject: str) -> str:
        """An identity token for somebody, for ten minutes: whoever may read the domain's keys says who they are.

        :raises SigningFailed: if that is neither an e-mail address nor a URI
        """
        return token.issue(self._tokens, self._somebody(subject), self.clock.now_ms() // 1000)

    def whose(self, bearer: str) -> Identity:
        """Who an identity token is for.

        :raises TokenInvalid: if it is not one of this domain
        """
        return token.read(self._tokens.public_key(), bearer, self.issuer, self.clock.now_ms() // 1000)

    def certify(self, key: ec.EllipticCurvePublicKey, subject: str) -> list[x509.Certificate]:
        """A certificate that somebody holds a key, for ten minutes, with the chain above it.

        :raises SigningFailed: if that is neither an e-mail address nor a URI
        """
        leaf = self._authority.certify(key, self._somebody(subject), self._serial(), _now(self.clock))
        return [leaf, self._authority.certificate, self._above]

    def _somebody(self, subject: str) -> Identity:
        if len(subject) > _MOST_SUBJECT or not _SUBJECT.fullmatch(subject):
            raise SigningFailed(
                f"{subject[:100]!r} is no e-mail address and no URI", remedy="write ann@example.com or https://…"
            )
        return Identity(subject, self.issuer)

    def stamp(self, request: bytes) -> bytes:
        """The answer to a timestamp request.

        :raises SigningFailed: if it is none
        """
        return self.stamper.stamp(request, _now(self.clock), self._serial())

    def _serial(self) -> int:
        return int.from_bytes(self.ids.random(19), "big")

    # ---- rotation ----

    def rotate(self, what: Rotatable, *, compromised: bool = False) -> None:
        """Make a new key for a part of the domain.

        :param compromised: whether earlier ones go from the trusted root: what they signed counts no longer. Otherwise
            what they signed until now stays valid.
        """
        log = self.about.log + 1 if what == "log" else self.about.log
        about = msgspec.structs.replace(self.about, keys=self.about.keys + 1, log=log)
        root = msgspec.json.decode(self.trusted_root)
        now = _now(self.clock)
        if what in _LISTS:
            root[_LISTS[what]] = [] if compromised else [_ended(entry, now) for entry in root[_LISTS[what]]]
        old, new = self.folder / self.about.folder, self.folder / about.folder
        try:
            shutil.rmtree(new, ignore_errors=True)  # of a rotation that was cut off
            shutil.copytree(old, new)
            _Maker(new, about, now, self.ids).make(what, root, begins=now)
            # The root goes first: nothing may be signed with a key that it lacks.
            _write_json(self.folder / _ROOT, root)
            _write_json(self.folder / _ABOUT, msgspec.to_builtins(about))
            shutil.rmtree(old)
        except OSError as error:
            raise translate_os_error(error, f"rotating {what}") from error
        self._load()

    def refresh(self) -> None:
        """Take up what another process rotated.

        :raises DomainInvalid: if the domain is damaged
        """
        try:
            changed = (self.folder / _ABOUT).stat().st_mtime_ns != self._stamp
        except OSError as error:
            raise DomainInvalid(f"{self.folder} is no trust domain any more: {error}") from error
        if changed:
            self._load()


class _Maker:
    """Makes keys, with their entries in the trusted root."""

    def __init__(self, folder: Path, about: About, now: datetime, ids: Ids) -> None:
        self._folder = folder
        self._about = about
        self._now = now
        self._ids = ids

    def make(self, what: str, root: dict[str, Any], begins: datetime) -> None:
        """Make one part's key, and say so in the trusted root."""
        valid = {"start": begins.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if what == "tokens":
            self._new(what, ec.generate_private_key(ec.SECP256R1()))
        elif what == "log":
            root["tlogs"].append(self._log(valid))
        elif what == "certificate-log":
            root["ctlogs"].append(self._certificate_log(valid))
        else:
            root[_LISTS[what]].append(self._chain(what, begins, valid))

    def _log(self, valid: dict[str, str]) -> dict[str, Any]:
        key = ed25519.Ed25519PrivateKey.generate()
        self._new("log", key)
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        origin = self._about.origin
        return _log_entry(origin, spki(key.public_key()), "PKIX_ED25519", key_id(origin, raw), valid)

    def _certificate_log(self, valid: dict[str, str]) -> dict[str, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        self._new("certificate-log", key)
        public, identifier = spki(key.public_key()), CertificateLog(key).id
        return _log_entry(f"ct.{self._about.name}", public, "PKIX_ECDSA_P256_SHA_256", identifier, valid)

    def _chain(self, what: str, begins: datetime, valid: dict[str, str]) -> dict[str, Any]:
        until = self._now + _LIFETIME
        above, below = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        top = authority_certificate(f"{what} root", above, self._serial(), begins, until)
        if what == "authority":
            leaf = authority_certificate(what, below, self._serial(), begins, until, (top, above))
        else:
            leaf = stamping_certificate(below.public_key(), self._serial(), begins, until, (top, above))
        # The key above is forgotten: a rotation makes a new one, and nothing else needs it.
        self._new(what, below)
        for name, certificate in ((what, leaf), (f"{what}-root", top)):
            write_atomically(self._folder / f"{name}.crt", certificate.public_bytes(Encoding.PEM))
        return {
            "subject": {"organization": "Remit trust domain", "commonName": self._about.name},
            "uri": f"https://{what}.{self._about.name}",
            "certChain": {
                "certificates": [{"rawBytes": _b64(each.public_bytes(Encoding.DER))} for each in (leaf, top)]
            },
            "validFor": valid,
        }

    def _new(self, name: str, key: _PrivateKey) -> None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(self._folder / f"{name}.pem", pem, mode=0o600)

    def _serial(self) -> int:
        return int.from_bytes(self._ids.random(19), "big")


def _log_entry(host: str, key: bytes, details: str, identifier: bytes, valid: dict[str, str]) -> dict[str, Any]:
    return {
        "baseUrl": f"https://{host}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": _b64(key), "keyDetails": details, "validFor": valid},
        "logId": {"keyId": _b64(identifier)},
    }


def _ended(entry: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The entry, which counts until now and no longer."""
    holder = entry.get("publicKey", entry)
    valid = {"end": now.strftime("%Y-%m-%dT%H:%M:%SZ")} | holder["validFor"]
    if "publicKey" in entry:
        return entry | {"publicKey": holder | {"validFor": valid}}
    return entry | {"validFor": valid}


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now_ms() // 1000, UTC)


def _write_json(path: Path, document: Any) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document)) + b"\n", mode=0o644)


def _key(path: Path, kind: type[Any]) -> Any:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, kind):
        raise DomainInvalid(f"{path.name} is another kind of key than it must be")
    return key


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
