"""Trees and their proofs: what they show holds, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors.signatures import CheckpointMalformed
from remit.registry.trust.merkle import EMPTY, Tree, consistent, leaf_hash, proof_length, root_of_proof
from remit.registry.trust.note import key_id, read_note, write_note

sizes = st.integers(1, 70)


def tree(size, word=b""):
    return Tree(leaf_hash(word + bytes([index])) for index in range(size))


def test_the_tree_of_rfc_6962_has_its_roots():
    """The vectors of the certificate-transparency reference implementation."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    grown = Tree(leaf_hash(bytes.fromhex(leaf)) for leaf in leaves)
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert grown.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert grown.root(8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(sizes, st.data())
def test_every_leaf_is_shown_to_be_in_every_later_tree(size, data):
    index = data.draw(st.integers(0, size - 1))
    grown = tree(70)
    proof = grown.inclusion(index, size)
    assert len(proof) == proof_length(index, size)
    assert root_of_proof(leaf_hash(bytes([index])), index, size, proof) == grown.root(size)
    assert root_of_proof(leaf_hash(b"other"), index, size, proof) != grown.root(size)


@given(sizes, sizes, st.data())
def test_a_tree_is_shown_to_begin_with_its_own_past_alone(one, other, data):
    old, new = sorted((one, other))
    grown = tree(70)
    proof = grown.consistency(old, new)
    assert consistent(old, new, grown.root(old), grown.root(new), proof)
    fork = tree(70, b"fork")
    assert not consistent(old, new, fork.root(old), grown.root(new), proof)
    assert not consistent(old, new, grown.root(old), fork.root(new), fork.consistency(old, new))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not consistent(old, new, grown.root(old), grown.root(new), proof[:at] + proof[at + 1 :])
    assert not consistent(old, new, grown.root(old), grown.root(new), [*proof, b"0" * 32])


def test_nothing_is_consistent_with_a_shorter_log():
    grown = tree(9)
    assert not consistent(9, 5, grown.root(9), grown.root(5), [])
    assert consistent(0, 9, EMPTY, grown.root(9), [])


@given(st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_comes_back_as_it_was_written(size, root):
    identifier = key_id("log.example.com", b"k" * 32)
    note = read_note(write_note("log.example.com", size, root, identifier, lambda text: b"signed" + text[:1]))
    assert (note.origin, note.size, note.root) == ("log.example.com", size, root)
    assert note.signatures == (("log.example.com", identifier[:4], b"signedl"),)


@pytest.mark.parametrize(
    "envelope",
    [
        "",
        "\n\n",
        "log\n1\nAAAA\n",
        "log\nx\nAAAA\n\n\u2014 log AAAAAAAA\n",
        "log\n1\n?\n\n\u2014 log AAAAAAAA\n",
        "log\n-1\nAAAA\n\n\u2014 log AAAAAAAA\n",
        "log\n1\nAAAA\n\nlog AAAAAAAA\n",
        "log\n1\nAAAA\n\n\u2014 log AAAA\n",
        "log\n1\nAAAA\n\n\u2014 log AAAAAAAA",
        "log\n1\nAAAA\n" + "0" * 70_000 + "\n\n\u2014 log AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(envelope):
    with pytest.raises(CheckpointMalformed):
        read_note(envelope)
