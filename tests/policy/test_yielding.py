from __future__ import annotations

import sys
import threading

import pytest

from remit.policy.yielding import giving_way


def test_the_setting_is_back_when_the_last_one_is_done():
    before = sys.getswitchinterval()
    ready, done = threading.Event(), threading.Event()

    def other():
        with giving_way():
            ready.set()
            done.wait()

    thread = threading.Thread(target=other)
    with giving_way():
        thread.start()
        ready.wait()
    assert sys.getswitchinterval() < before
    done.set()
    thread.join()
    assert sys.getswitchinterval() == pytest.approx(before)


def test_the_setting_is_back_after_a_fault():
    before = sys.getswitchinterval()
    with pytest.raises(ValueError, match="x"), giving_way():
        raise ValueError("x")
    assert sys.getswitchinterval() == pytest.approx(before)
