"""What envelopes say: in-toto statements in general, and the one that makes a unit's release. Pure.

Source: in-toto attestation framework, ``spec/v1/statement.md``; DSSE 1.0 for the bytes that are signed.
"""

from __future__ import annotations

from typing import Any

import msgspec
import rfc8785

from remit.errors.signatures import (
    PayloadType,
    PredicateMalformed,
    PredicateType,
    ReleaseId,
    ReleaseManifest,
    ReleaseVersion,
    StatementMalformed,
    StatementType,
    SubjectCount,
    SubjectMissing,
)
from remit.registry.oci import sha256
from remit.registry.trust.model import Artifact, Statement
from remit.registry.trust.strict import read_object
from remit.schemas import formats

__all__ = [
    "IN_TOTO",
    "MAX_STATEMENT",
    "Release",
    "check_release",
    "check_subject",
    "pae",
    "read_statement",
    "release_statement",
    "statement_about",
]

IN_TOTO = "application/vnd.in-toto+json"
_V1 = "https://in-toto.io/Statement/v1"
_KNOWN = (_V1, "https://in-toto.io/Statement/v0.1")
MAX_STATEMENT = 1 << 20
"""Bytes of a statement."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a unit's bundle is that unit's release: the predicate that publishers sign."""

    id: str
    version: str
    manifest: str
    """``sha256:…`` of ``unit.toml``."""


class _Subject(msgspec.Struct):
    digest: dict[str, str]


class _Statement(msgspec.Struct, rename={"type": "_type", "predicate_type": "predicateType"}):
    type: str
    subject: list[_Subject]
    predicate_type: str
    predicate: Any = None


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that an envelope's signature is over."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_statement(payload_type: str, payload: bytes) -> Statement:
    """The statement in an envelope.

    :raises PayloadType: if it is something else
    :raises StatementMalformed: if it does not follow the specification
    :raises StatementType: if it is of an unknown version: its meaning is not guessed
    """
    if payload_type != IN_TOTO:
        raise PayloadType(f"the envelope holds {payload_type[:100]!r}, not a statement")
    document = read_object(payload, MAX_STATEMENT, StatementMalformed, "the statement")
    if document.get("_type") not in _KNOWN:
        raise StatementType(f"the statement's type is {str(document.get('_type'))[:100]!r}")
    try:
        found = msgspec.convert(document, _Statement)
    except msgspec.ValidationError as error:
        raise StatementMalformed(f"the statement is malformed: {error}") from error
    if not found.subject:
        raise StatementMalformed("the statement is about nothing")
    return Statement(found.predicate_type, found.predicate, tuple(subject.digest for subject in found.subject))


def check_subject(statement: Statement, artifact: Artifact) -> None:
    """Hold a statement to what it must be about.

    :raises SubjectMissing: if the artifact is not among its subjects
    """
    wanted = artifact.sha256.hex()
    if all(digests.get("sha256") != wanted for digests in statement.subjects):
        raise SubjectMissing(f"the statement is not about sha256:{wanted}")


def release_statement(digest: str, unit: str, version: str, unit_toml: bytes) -> bytes:
    """The statement that a bundle is a unit's release, as bytes to sign.

    :param digest: ``sha256:…`` of the bundle's manifest
    """
    release = Release(unit, version, sha256(unit_toml))
    return statement_about(digest, f"{unit}@{version}", formats.RELEASE, msgspec.to_builtins(release))


def statement_about(digest: str, name: str, kind: str, predicate: Any) -> bytes:
    """The statement that something is true of a bundle, as bytes to sign.

    :param digest: ``sha256:…`` of the bundle's manifest
    :param name: of the bundle, for people
    :param kind: the predicate's type
    :raises StatementMalformed: if the predicate is not JSON that others read the same
    """
    algorithm, _, value = digest.partition(":")
    subject: dict[str, Any] = {"name": name, "digest": {algorithm: value}}
    try:
        return rfc8785.dumps({"_type": _V1, "subject": [subject], "predicateType": kind, "predicate": predicate})
    except rfc8785.CanonicalizationError as error:
        raise StatementMalformed(f"the predicate cannot be signed: {error}") from error


def check_release(statement: Statement, unit: str, version: str, unit_toml: bytes) -> None:
    """Hold a statement to the release that it is presented for.

    :raises Rejected: if it says anything else
    """
    if statement.predicate_type != formats.RELEASE:
        raise PredicateType(f"the signature is under a {statement.predicate_type[:100]!r}, not under a release")
    if len(statement.subjects) != 1:
        raise SubjectCount(f"the release is about {len(statement.subjects)} things")
    try:
        release = msgspec.convert(statement.predicate, Release)
    except msgspec.ValidationError as error:
        raise PredicateMalformed(f"the release is malformed: {error}") from error
    if release.id != unit:
        raise ReleaseId(f"the release is of {release.id[:100]}, not of {unit}")
    if release.version != version:
        raise ReleaseVersion(f"the release is of {unit}@{release.version[:50]}, not of {version}")
    if release.manifest != sha256(unit_toml):
        raise ReleaseManifest("the release is of another unit.toml")
