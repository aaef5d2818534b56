"""acme/once in its sandbox: when a key is new, when it is new again, and what a sweep leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.errors import InputInvalid

UNIT = Path(__file__).parents[1]


@pytest.fixture
def kernel(remit_kernel, remit_clock):
    from remit.host import build_unit  # noqa: PLC0415 - Remit loads when a test wants it

    build_unit(UNIT)
    return remit_kernel(units=[UNIT], clock=remit_clock)


def test_a_key_is_new_again_when_its_time_has_run_out(kernel, remit_clock):
    first = [kernel.call("acme/once:first", {"key": "a", "ttl_ms": 1_000})["first"] for _ in range(3)]
    remit_clock.advance(1_001)
    assert [*first, kernel.call("acme/once:first", {"key": "a"})["first"]] == [True, False, False, True]


def test_a_sweep_forgets_what_has_run_out_and_nothing_else(kernel, remit_clock):
    for index in range(7):
        kernel.call("acme/once:first", {"key": f"short-{index}", "ttl_ms": 10})
    kernel.call("acme/once:first", {"key": "long"})
    remit_clock.advance(11)
    assert kernel.call("acme/once:sweep", None) == {"gone": 7, "more": False}
    assert kernel.call("acme/once:first", {"key": "long"}) == {"first": False, "times": 2}


@pytest.mark.parametrize("key", ["", "x" * 201, 7])
def test_what_is_no_key_is_refused(kernel, key):
    with pytest.raises(InputInvalid):
        kernel.call("acme/once:first", {"key": key})
