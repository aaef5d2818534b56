"""A registry ties up nobody who asks it: whatever it does instead of answering ends with the deadline."""

from __future__ import annotations

import pytest

from remit.errors import RedirectRefused, RegistryTooSlow
from tests.registry.lying import NAME, dripping

MANIFEST = f"/v2/{NAME}/manifests/1.2.0"


def test_an_answer_that_drips(pull, liar):
    liar.answers[MANIFEST] = dripping(b" ", b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)


def test_a_head_that_drips_ends_with_the_deadline(pull, liar):
    liar.answers[MANIFEST] = dripping(b"x", b"HTTP/1.1 200 OK\r\nx-more: ")
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)


def test_interim_responses_without_end_do_too(pull, liar):
    liar.answers[MANIFEST] = dripping(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    with pytest.raises(RegistryTooSlow):
        pull(deadline_ms=300)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("words", ["a" * 60_000, 'realm="' + "a" * 60_000, 'a="",' * 12_000])
def test_a_challenge_that_is_costly_to_read(pull, liar, words):
    liar.answers[f"/v2/{NAME}/tags/list"] = (401, {"www-authenticate": f"Bearer {words}"}, b"")
    with pytest.raises(RedirectRefused):
        pull()
