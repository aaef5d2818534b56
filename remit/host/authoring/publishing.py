"""Publishing and keeping registries: packing units, sending them, serving a folder of them. Needs no kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from remit.errors import AdapterMissing, UsageError
from remit.host.authoring.signing import SignAs, local_bundle, sign_bundle, write_unit
from remit.journal import Progress, no_progress
from remit.kernel.model import Bundle, EntityRef
from remit.registry import Store, parse_registry
from remit.registry.index import Entry, Offer, fold, read_log, search
from remit.registry.intake import repair, withdraw
from remit.registry.oci import SIGNATURE
from remit.registry.static import export
from remit.units.manifest import Manifest, parse

if TYPE_CHECKING:
    from remit.host.facade.facade import Facade
    from remit.registry.users import Users

__all__ = [
    "Published",
    "check_registry",
    "export_registry",
    "pack_unit",
    "publish_unit",
    "registry_log",
    "search_registry",
    "serve_registry",
    "withdraw_unit",
]


class Published(msgspec.Struct, frozen=True):
    """A unit that was sent to a registry."""

    id: str
    version: str
    digest: str
    reference: str
    fresh: bool
    """Whether it was not there before."""
    signed: bool
    """Whether a signature was sent with it."""


def pack_unit(
    reference: Path | str, target: Path | None = None, progress: Progress = no_progress
) -> tuple[Path, Bundle]:
    """Write a unit's folder as a ``.unit`` file, beside it unless told otherwise.

    :raises BundleError: if it is not well formed
    """
    bundle = local_bundle(str(reference), progress)
    manifest = parse(bundle.unit_toml)
    return write_unit(bundle, target, manifest.id, manifest.version), bundle


def publish_unit(
    target: str,
    reference: Path | str,
    progress: Progress = no_progress,
    *,
    home: Facade | None = None,
    sign_as: SignAs | None = None,
) -> Published:
    """Send a unit to a registry, under its version, whole or not at all.

    :param target: ``oci://HOST[/PREFIX]``
    :param home: whose policy is asked first, where it is published for a home
    :param sign_as: how to sign it first; a unit that is there already gets one more signature
    :raises Denied: if that policy does not let the caller publish it
    :raises VersionTaken: if that version is there with other contents
    :raises SigningFailed: if it cannot be signed
    :raises RegistryError: if the registry cannot be used
    """
    from remit.registry.client import RegistryClient  # noqa: PLC0415 - loads HTTP

    registry = parse_registry(target)
    bundle = local_bundle(str(reference), progress)
    manifest: Manifest = parse(bundle.unit_toml)
    repository = registry.repository(manifest.id)
    if home is not None:
        facts = {"digest": bundle.digest, "version": manifest.version, "kind": manifest.kind, "registry": registry.host}
        home.permit("unit:publish", EntityRef("Unit", manifest.id), facts=facts)
    before = bundle.referrers
    bundle = sign_bundle(bundle, sign_as) if sign_as else bundle
    with RegistryClient(registry) as client:
        fresh = client.push(repository, bundle, manifest.version, progress)
        for referrer in () if fresh else bundle.referrers:
            if referrer not in before:
                client.attach(repository, bundle.digest, referrer)
    place = f"oci://{registry.host}/{repository}@{manifest.version}"
    signed = any(referrer.artifact_type == SIGNATURE for referrer in bundle.referrers)
    return Published(manifest.id, manifest.version, bundle.digest, place, fresh, signed)


def search_registry(target: str, words: str) -> list[Offer]:
    """Units of a registry whose name or title holds every word.

    :raises ReferenceUnknown: if the registry keeps no list of units
    """
    from remit.registry.client import RegistryClient  # noqa: PLC0415 - loads HTTP

    with RegistryClient(parse_registry(target)) as client:
        return search(fold(client.log()).values(), words)


def serve_registry(data: Path, *, host: str, port: int, users: Path | None, ready: Callable[[str], None]) -> None:
    """Serve a folder as a registry until interrupted.

    :param ready: called with the address once it listens
    :raises UsageError: if it would be open to others without knowing its users
    :raises AdapterMissing: if the extra ``http`` is not installed
    """
    try:
        from remit.registry.server import application  # noqa: PLC0415 - loads the web server
        from remit.registry.serving import run  # noqa: PLC0415 - beside it
    except ImportError as error:
        raise AdapterMissing(f"serving needs {error.name}", remedy="pip install 'remit[http]'") from error
    from remit.registry.users import load_users  # noqa: PLC0415 - beside it

    if users is None and host not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(f"{host} is open to others", remedy="say who may write, with --users FILE")
    known: Users | None = load_users(users) if users else None
    store = Store(data)
    store.uploads.sweep()
    repair(store)
    run(application(store, known), host, port, ready)


def check_registry(data: Path) -> list[str]:
    """What was wrong with a registry's list, and was mended, or is wrong with its contents."""
    return repair(_store(data))


def export_registry(
    data: Path, target: Path, progress: Progress = no_progress, *, keys: Path | None = None, days: int = 7
) -> tuple[int, Path | None]:
    """Write a registry as plain files for any web server; gives the number of tags, and the root that homes pin.

    :param keys: the keeper's folder of keys, made at first use: then the files are attested
    :param days: how long they may be believed
    :raises StoreInvalid: if the target holds something, contents were changed, or a key cannot be read
    """
    store = _store(data)
    if keys is None:
        return export(store, target, progress), None
    from remit.registry.attest import Attester  # noqa: PLC0415 - loads TUF

    attester = Attester(keys, store.clock, days=days)
    return export(store, target, progress, attester=attester), attester.root


def registry_log(data: Path) -> list[Entry]:
    """What was published and withdrawn, oldest first."""
    log = _store(data).log_path
    return read_log(log.read_bytes()) if log.exists() else []


def withdraw_unit(data: Path, unit: str, version: str, reason: str, *, kill: bool) -> Entry:
    """Yank a version, or kill it.

    :raises ReferenceUnknown: if it was never published there
    """
    return withdraw(_store(data), unit, version, reason, "keeper", kill=kill)


def _store(data: Path) -> Store:
    if not (data / "oci-layout").is_file():
        raise UsageError(f"{data} is no registry", remedy="name the folder that 'remit registry serve' keeps")
    return Store(data)
