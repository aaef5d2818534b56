"""The keeper's word on a registry's files: TUF metadata that says what is offered, and until when that may be believed.

Written beside the files of an export. Each publisher's versions stand in a role of its own, delegated for names below
that publisher and no others. The keys lie in a folder of the keeper's, never beside the files.

Source: The Update Framework specification 1.0 (https://theupdateframework.github.io/specification/latest/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import StoreInvalid
from remit.kernel.ports import Clock

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Targets

__all__ = ["FOLDER", "LOG_TARGET", "Attester", "role_of", "target_of"]

FOLDER = "tuf"
"""Where the metadata lies, below the registry's address."""
LOG_TARGET = "units.jsonl"
_ROLES = ("root", "timestamp", "snapshot", "targets")
_ROOT_DAYS = 365
_TARGETS_DAYS = 90
_RENEW_DAYS = 60


def target_of(unit: str, version: str) -> str:
    """The name of a version's manifest among the targets."""
    return f"{unit}/{version}"


def role_of(publisher: str) -> str:
    """The name of a publisher's role: no publisher's name alone, for one may be called ``root``."""
    return f"by-{publisher}"


class _State(msgspec.Struct):
    """What the keeper remembers between two attestations."""

    version: int = 0


class Attester:
    """The keeper's keys, in an owner-only folder that is made at first use.

    :param days: how long the whole may be believed before it must be attested anew
    :raises StoreInvalid: if a key cannot be read
    """

    def __init__(self, folder: Path, clock: Clock, *, days: int = 7) -> None:
        self._folder = folder
        self._days = days
        self._now = datetime.fromtimestamp(clock.now_ms() // 1000, UTC)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def root(self) -> Path:
        """The newest root metadata: what a home pins."""
        return max((self._folder / "roots").glob("*.root.json"), key=lambda path: int(path.name.partition(".")[0]))

    def attest(self, target: Path, log: bytes, manifests: Mapping[str, Mapping[str, bytes]]) -> Path:
        """Write the metadata of an export; gives the root that homes pin.

        :param log: the list of units
        :param manifests: the manifest's bytes of each version, by unit
        """
        from tuf.api.metadata import (  # noqa: PLC0415 - here and below: a library that few commands need
            DelegatedRole,
            Delegations,
            Key,
            Metadata,
            MetaFile,
            Snapshot,
            TargetFile,
            Targets,
            Timestamp,
        )

        state = self._state()
        version = state.version + 1
        place = target / FOLDER
        place.mkdir(parents=True)
        publishers = sorted({unit.partition("/")[0] for unit in manifests})
        signers = {role: self._key(role) for role in (*_ROLES, *map(role_of, publishers))}
        self._renew_root(signers)
        soon = self._now + timedelta(days=self._days)
        late = self._now + timedelta(days=_TARGETS_DAYS)
        delegated: dict[str, Metadata[Targets]] = {}
        for publisher in publishers:
            files = {
                name: TargetFile.from_data(name, data)
                for unit, versions in manifests.items()
                if unit.partition("/")[0] == publisher
                for name, data in ((target_of(unit, one), data) for one, data in versions.items())
            }
            delegated[role_of(publisher)] = Metadata(Targets(version, expires=late, targets=files))
        roles = {
            role_of(name): DelegatedRole(
                role_of(name), [signers[role_of(name)].public_key.keyid], 1, terminating=True, paths=[f"{name}/*/*"]
            )
            for name in publishers
        }
        keys: dict[str, Key] = {signers[role].public_key.keyid: signers[role].public_key for role in roles}
        top = Targets(version, expires=late, targets={LOG_TARGET: TargetFile.from_data(LOG_TARGET, log)})
        top.delegations = Delegations(keys, roles)
        meta = {f"{role}.json": MetaFile(version) for role in ("targets", *delegated)}
        written: list[tuple[str, str, Any]] = [
            *((f"{version}.{role}.json", role, signed) for role, signed in delegated.items()),
            (f"{version}.targets.json", "targets", Metadata(top)),
            (f"{version}.snapshot.json", "snapshot", Metadata(Snapshot(version, expires=soon, meta=meta))),
            (
                "timestamp.json",
                "timestamp",
                Metadata(Timestamp(version, expires=soon, snapshot_meta=MetaFile(version))),
            ),
        ]
        for path in sorted((self._folder / "roots").glob("*.root.json")):
            (place / path.name).write_bytes(path.read_bytes())
        # Bottom up, the timestamp last: what it leads to is there.
        for name, role, metadata in written:
            metadata.sign(signers[role])
            metadata.to_file(str(place / name))
        self._remember(_State(version))
        return self.root

    def _renew_root(self, signers: Mapping[str, CryptoSigner]) -> None:
        """Make the root where there is none, and the next one under the same keys before it ends."""
        from tuf.api.metadata import Metadata, Root  # noqa: PLC0415

        roots = self._folder / "roots"
        roots.mkdir(exist_ok=True)
        known: Sequence[Path] = sorted(roots.glob("*.root.json"))
        expires = self._now + timedelta(days=_ROOT_DAYS)
        if known:
            root = Metadata[Root].from_file(str(self.root))
            if root.signed.expires - self._now > timedelta(days=_RENEW_DAYS):
                return
            root.signed.version += 1
            root.signed.expires = expires
        else:
            root = Metadata(Root(1, expires=expires, consistent_snapshot=True))
            for role in _ROLES:
                root.signed.add_key(signers[role].public_key, role)
        root.sign(signers["root"])
        root.to_file(str(roots / f"{root.signed.version}.root.json"))

    def _key(self, role: str) -> CryptoSigner:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

        path = self._folder / f"{role}.pem"
        try:
            if not path.exists():
                signer = CryptoSigner.generate_ed25519()
                path.touch(mode=0o600)
                path.write_bytes(signer.private_bytes)
            return CryptoSigner(load_pem_private_key(path.read_bytes(), password=None))
        except (OSError, ValueError, TypeError) as error:
            raise StoreInvalid(f"the key {path} cannot be read", remedy="restore it, or name another folder") from error

    def _state(self) -> _State:
        try:
            return msgspec.json.decode((self._folder / "state.json").read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()
        except (OSError, msgspec.DecodeError) as error:
            raise StoreInvalid(f"{self._folder / 'state.json'} cannot be read", remedy="restore it") from error

    def _remember(self, state: _State) -> None:
        fresh = self._folder / "state.json.new"
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._folder / "state.json")
