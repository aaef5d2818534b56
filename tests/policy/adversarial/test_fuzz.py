"""No policy text of any shape kills the process: words of Cedar in any order, shipped policies cut up, deep and long.

``REMIT_SOAK=10`` tries ten times as many.
"""

from __future__ import annotations

import os
import random

import pytest

from remit.policy.postures import posture_files
from tests.policy.adversarial.survival import survives

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
BATCH = 20
"""Texts for each process."""
LANGUAGE = """
permit forbid principal action resource context when unless if then else has like in is true false ( ) [ ] { } ! - + *
< > <= >= == != && || . , ; : :: @ @id("a") @id @decision("ask") "*" "\\" "\\u{202e}" "\\u{110000}" "\\x" Remit::Unit
Remit::Unit::"a" Remit::Action::"use" Remit::Topic::"t" ?principal ?resource ip("1.2.3.4") decimal("1.0") duration("1h")
datetime("2026-01-01") 9223372036854775807 -9223372036854775808 9223372036854775808 1e9 __cedar // /* */ contains(
containsAll( isInRange( getTag( template namespace entity
"""
WORDS = [*LANGUAGE.split(), "\u202e", "us\u0435r", "\0", "\ufeff"]
SHIPPED = list(posture_files("strict").values())
OPENERS = """(
[
{a:
!
-
if
if true then
context.a
.b
[0].c
!(
{a: [
@a
a::
a(
\\
"""
DEEP = [f"{opener} " if opener[-1].isalpha() else opener for opener in OPENERS.splitlines()]
CLOSERS = {"(": ")", "[": "]", "{": "}"}


def soup(chosen):
    return " ".join(chosen.choices(WORDS, k=chosen.randrange(1, 200)))


def cut(chosen):
    """A shipped set with pieces left out, doubled, moved and replaced."""
    text = chosen.choice(SHIPPED)
    for _ in range(chosen.randrange(1, 12)):
        start = chosen.randrange(len(text) + 1)
        piece = text[start : start + chosen.randrange(1, 300)]
        text = chosen.choice((
            text[:start] + text[start + len(piece) :],
            text[:start] + piece * chosen.randrange(2, 20) + text[start:],
            text[:start] + chosen.choice(WORDS) + text[start + 1 :],
            text[start:] + text[:start],
        ))[:200_000]  # fmt: skip
    return text


def deep(chosen):
    """Something that opens, over and over, inside a condition or outside, closed or not."""
    opener, depth = chosen.choice(DEEP), chosen.choice((20, 40, 100, 1_000, 10_000, 60_000))
    closer = "".join(CLOSERS.get(char, "") for char in reversed(opener))
    body = opener * depth + "true" + chosen.choice(("", closer * depth))
    head = chosen.choice(("permit (principal, action, resource) when { ", "", '@id("a") forbid (', '"'))
    return head + body + chosen.choice((" };", "", ";"))


def bytes_of_any_kind(chosen):
    errors = chosen.choice(("surrogateescape", "replace"))
    return chosen.randbytes(chosen.randrange(2_000)).decode("utf-8", errors)


@pytest.mark.parametrize("shape", [soup, cut, deep, bytes_of_any_kind], ids=lambda shape: shape.__name__)
def test_no_policy_text_of_any_shape_kills_the_process(shape):
    chosen = random.Random(f"{shape.__name__}{SOAK}")
    for _ in range(SOAK):
        survives(*(shape(chosen) for _ in range(BATCH)))
