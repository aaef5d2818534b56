"""Random damage: a signature bundle with bits turned is believed only for what it said before, and nothing leaks."""

from __future__ import annotations

import json
import os
import random

import pytest

from remit.errors import BundleInvalid, Rejected
from remit.kernel.model import Referrer
from remit.registry import decode, encode
from remit.registry.oci import SIGNATURE
from remit.registry.trust import Artifact, Identity
from remit.registry.trust.verifier import verify_identity, verify_key

FLIPS = 2_000 * int(os.environ.get("REMIT_SOAK", "1"))


def flipped(data, chance):
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def test_a_flipped_bundle_is_rejected_or_says_the_same(forge, record_property):
    data = json.dumps(forge.bundle()).encode()
    root, artifact = forge.root(), Artifact.of(b"the manifest of a unit")
    identity = Identity("ann@example.com", forge.domain.issuer)
    right = verify_identity(data, artifact, root, identity)
    chance = random.Random(7)
    believed = 0
    for _ in range(FLIPS):
        try:
            found = verify_identity(flipped(data, chance), artifact, root, identity)
        except Rejected:
            continue
        # A few bytes of a bundle mean nothing (the tail of a log's id, a timestamp's unsigned fields).
        believed += 1
        assert found == right
    record_property("flips", FLIPS)
    assert believed < FLIPS // 20


def test_a_flipped_bundle_under_a_key_is_rejected_or_says_the_same(keyed):
    data, artifact, pem = keyed.bundle(), keyed.artifact, keyed.pem
    right = verify_key(data, artifact, pem)
    chance = random.Random(8)
    for _ in range(FLIPS):
        try:
            assert verify_key(flipped(data, chance), artifact, pem) == right
        except Rejected:
            continue


def test_a_flipped_signed_unit_is_no_unit_and_nothing_else_goes_wrong(forge, make_bundle):
    referrer = Referrer(SIGNATURE, json.dumps(forge.bundle()).encode())
    data = encode(make_bundle("1.2.0", referrers=[referrer]))
    decode(data)
    chance = random.Random(9)
    for _ in range(FLIPS):
        damaged = flipped(data, chance)
        if damaged != data:  # two flips may undo each other
            with pytest.raises(BundleInvalid):
                decode(damaged)
