"""The logic of acme/redact, run natively: what it masks, what it leaves, and that neither depends on luck."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from redaction import KINDS, MASK, luhn, redact

DENSE = st.text(st.sampled_from("0123456789abcf.:@+-() /_xyz[]█é"), max_size=80)
"""Text in which almost everything is nearly something."""


def card(body: str) -> str:
    return next(body + str(check) for check in range(10) if luhn(body + str(check)))


@given(DENSE | st.text(max_size=200), st.sampled_from(["█", "[removed]", "<x>", "•••"]))
def test_masking_twice_changes_nothing(text, mask):
    once, _ = redact(text, mask=mask)
    assert redact(once, mask=mask) == (once, dict.fromkeys(KINDS, 0))


@given(st.text(max_size=40), st.emails(), st.text(max_size=40))
def test_no_address_survives(before, email, after):
    local, _, domain = email.rpartition("@")
    masked, _ = redact(f"{before} {email} {after}", ("email",))
    assert f"{local}@{domain}" not in masked


@given(st.ip_addresses().filter(lambda ip: str(ip) != "::"), st.sampled_from([" ", ",", "(", "=", "\n"]))
def test_no_ip_address_survives(address, glue):
    assert redact(f"from{glue}{address}, then", ("ip",)) == (f"from{glue}█, then", {"ip": 1})


@given(st.from_regex(r"\A[2-6][0-9]{11,17}\Z"), st.sampled_from(["", " ", "-"]))
def test_card_numbers_are_masked_however_they_are_grouped(body, glue):
    number = card(body)
    grouped = glue.join(number[at : at + 4] for at in range(0, len(number), 4))
    masked, counts = redact(f"card {grouped}.", ("card",))
    assert (masked, counts) == ("card █.", {"card": 1})


@given(st.from_regex(r"\A[2-6][0-9]{12,18}\Z").filter(lambda digits: not luhn(digits)))
def test_digits_that_fail_the_luhn_check_stay(digits):
    assert redact(f"order {digits} shipped")[0] == f"order {digits} shipped"


@given(st.from_regex(r"\A[0-9]{2,30}\Z"), st.integers(0, 29), st.integers(1, 9))
def test_luhn_notices_every_single_wrong_digit(digits, place, change):
    valid = card(digits)
    place %= len(valid)
    wrong = valid[:place] + str((int(valid[place]) + change) % 10) + valid[place + 1 :]
    assert not luhn(wrong)


@pytest.mark.parametrize(
    "number",
    [
        "+49 30 1234567",
        "+1 555 123 4567",
        "+442071234567",
        "(555) 123-4567",
        "555-123-4567",
        "030 1234567",
        "0171-1234567",
    ],
)
def test_telephone_numbers_are_masked(number):
    assert redact(f"call {number} today") == ("call █ today", {**dict.fromkeys(KINDS, 0), "phone": 1})


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-11-20 at 12:30:45",
        "on 01.02.2026",
        "left-pad@1.2.3 and remit 0.1.0",
        "std::vector<int> at 0x1f",
        "1763679345123 milliseconds",
        "root@localhost",
        "invoice 4111 1111 1111 1112",
    ],
)
def test_what_only_looks_similar_stays(text):
    assert redact(text)[0] == text


def test_only_the_kinds_asked_for_are_masked():
    assert redact("bob@example.com 10.0.0.1", ("ip",)) == ("bob@example.com █", {"ip": 1})


@given(DENSE)
def test_counts_say_how_many_masks_there_are(text):
    masked, counts = redact(text.replace("█", ""))
    assert masked.count("█") == sum(counts.values())


@given(st.sampled_from(["█", "████", "[removed by us]", "<x>"]))
def test_masks_that_the_schema_admits_contain_no_match(mask):
    assert MASK.fullmatch(mask)
    assert redact(mask)[0] == mask


@pytest.mark.parametrize(
    "atom", ["a", "@", "a@", "1", "4 ", "1.", ":", "a:", "+1 ", "a@b.", "0 000 ", "(555) ", "::1 "]
)
def test_hostile_repetition_of_a_million_characters_ends(atom):
    # A quadratic pattern would not end within the test's timeout: this asserts an end, not a speed.
    text = atom * (1_000_000 // len(atom))
    masked, _ = redact(text)
    assert len(masked) <= len(text)
