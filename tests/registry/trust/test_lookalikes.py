"""Names that could be taken for others are found, and ordinary ones are left in peace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.registry.trust.lookalikes import POPULAR, resembled

KNOWN = {"globex/invoices", "initech/reports", "modern/tool"}
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("unit", "meant"),
    [
        ("g1obex/x", "globex"),
        ("gl0bex/x", "globex"),
        ("globx/x", "globex"),
        ("lgobex/x", "globex"),
        ("modem/x", "modern"),
        ("rnodern/x", "modern"),
        ("initec/x", "initech"),
        ("init-ech/x", "initech"),
        ("hooli/invoice", "globex/invoices"),
        ("hooli/lnvoices", "globex/invoices"),
    ],
)
def test_what_looks_alike_is_found(unit, meant):
    assert resembled(unit, KNOWN) == meant


@pytest.mark.parametrize("unit", ["globex/invoice", "hooli/invoices", "hooli/x", "abc/def", "umbrella/mask"])
def test_what_is_merely_near_is_left_in_peace(unit):
    assert resembled(unit, KNOWN) == ""


@given(st.builds("/".join, st.tuples(NAMES, NAMES)), st.frozensets(st.builds("/".join, st.tuples(NAMES, NAMES))))
def test_a_known_unit_resembles_nothing(unit, known):
    assert resembled(unit, known | {unit}) == ""
    assert resembled(unit, known) in {"", *known, *(one.partition("/")[0] for one in known)}


def test_the_popular_ones_do_not_resemble_each_other():
    assert {resembled(unit, POPULAR) for unit in POPULAR} == {""}
