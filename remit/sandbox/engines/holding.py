"""Brief guests keep Python's lock while they run: which those are, and the alarm that bounds how long they may.

Letting go of the lock for a guest that is done in microseconds costs more than the guest: whoever waits for the lock is
woken, finds it taken again, and sleeps on. So components whose calls have all been brief keep it. What a guest did
before binds nothing, and the thread that moves epochs (:mod:`remit.sandbox.engines.engine`) needs the lock itself: the
alarm is a timer of the system's, whose own thread moves the epoch and needs no Python. A guest that it stops for a
question has used up its credit, and gives the others a turn at every question until it ends.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Sized
from ctypes import POINTER, Structure, byref, c_char, c_int, c_long, c_void_p
from typing import Any, Final

from wasmtime import Engine
from wasmtime import _ffi as ffi

from remit.sandbox.engines import capi

__all__ = ["Alarm", "Pace", "alarm_for", "used_ns"]

_TURN_S: Final = 0.0002
"""How long a guest that keeps the lock for too long lets others have it, each time that it is asked."""

_BRIEF_NS: Final = 100_000
"""Processor time up to which a call is brief. A longer one may run beside another on a second processor instead."""
_PROOF: Final = 8
_PENANCE: Final = 64
"""Brief calls in a row until a component may keep the lock, and how many more if it has abused that."""
_FIRST_NS: Final = 2_500_000
_PERIOD_NS: Final = 1_500_000
_AGAIN_NS: Final = 1_200_000
"""After what time the alarm rings first, and then again and again, and how long after it was put off it may be put off
again: while all calls are brief it never rings, and costs a system call in this time, of ten microseconds."""

_BURST_NS: Final = 500_000
_CLOSE_NS: Final = 1_000_000
"""How long calls must have come, the last within so much, before the alarm is turned on for them: a few calls, or rare
ones, would not earn back what it costs."""

used_ns: Final = time.thread_time_ns
"""Processor time of the calling thread: waiting for Python's lock is not in it."""


class _Value(ctypes.Union):
    _fields_ = (("integer", c_int), ("pointer", c_void_p))


class _Event(Structure):
    """``struct sigevent``, as glibc and musl have it."""

    _fields_ = (
        ("value", _Value), ("signal", c_int), ("notify", c_int), ("function", c_void_p), ("attributes", c_void_p),
        ("rest", c_char * 32),
    )  # fmt: skip


class _Times(Structure):
    """``struct itimerspec``: the period and the first time, each in seconds and nanoseconds."""

    _fields_ = (("period_s", c_long), ("period_ns", c_long), ("first_s", c_long), ("first_ns", c_long))


_CLOCK_MONOTONIC, _SIGEV_THREAD = 1, 2
_ON, _OFF = _Times(0, _PERIOD_NS, 0, _FIRST_NS), _Times()
_INCREMENT = ctypes.cast(ffi.dll.wasmtime_engine_increment_epoch, c_void_p)


class Alarm:
    """Moves the epoch of one engine on, again and again, unless it is put off; needs no lock of Python's for that.

    Between :meth:`put_off` and :meth:`rest` it is on. It is for the process that made it: a child of ``fork`` has no
    timers of its parent's.
    """

    __slots__ = ("_lock", "_set", "_timer", "due_ns", "until_ns")

    def __init__(self, timer: c_void_p, set_time: Any) -> None:
        self.until_ns = 0
        """Until then it is on, by the clock that the last call had, and needs not be put off; 0 while it is off."""
        self.due_ns = 0
        """From then on :meth:`covers` is to be asked."""
        self._timer, self._set = timer, set_time
        self._lock = threading.Lock()

    def covers(self, now_ns: int) -> bool:
        """Whether a guest may keep the lock, past :attr:`until_ns`: it is put off, or turned on for many."""
        if now_ns - self.due_ns > _CLOSE_NS:
            self.due_ns = now_ns + _BURST_NS
            return False
        self.put_off(now_ns)
        return True

    def put_off(self, now_ns: int) -> None:
        """Have it ring some milliseconds from now, and go on ringing."""
        with self._lock:
            self._set(self._timer, 0, byref(_ON), None)
            # Only then: who finds this later than now relies on an alarm that is on.
            self.until_ns = self.due_ns = now_ns + _AGAIN_NS

    def put_off_again(self) -> None:
        """Put it off, if it is on: as long as the thread that moves epochs gets Python's lock, nobody keeps it."""
        if 0 < self.until_ns <= (now_ns := time.monotonic_ns()):
            self.put_off(now_ns)

    def rest(self, running: Sized) -> None:
        """Turn it off, if nothing is running: who runs a guest is among them before it looks at :attr:`until_ns`."""
        with self._lock:
            self.until_ns = 0
            if not running:
                self._set(self._timer, 0, byref(_OFF), None)


class Pace:
    """How long the calls of a component take. A race between threads costs a call that is run the slower way."""

    __slots__ = ("_alarm", "_known", "alarm")

    def __init__(self, alarm: Alarm | None) -> None:
        """As of a component that nothing is known of.

        :param alarm: of its engine; where there is none, nobody keeps the lock
        """
        self.alarm: Alarm | None = None
        """What bounds its next call, if that may keep the lock."""
        self._alarm = alarm
        self._known = 0

    def took(self, ns: int) -> None:
        """A call that did not keep the lock has ended, after so much processor time."""
        self._known = self._known + 1 if ns <= _BRIEF_NS else min(self._known, 0)
        self.alarm = self._alarm if self._known >= _PROOF else None

    def overran(self) -> None:
        """A call has kept the lock for too long: the others get a turn."""
        self.alarm = None
        self._known = -_PENANCE
        time.sleep(_TURN_S)


def alarm_for(engine: Engine) -> Alarm | None:
    """A new alarm, for as long as the process lives; ``None`` where the system has no such timers."""
    if sys.platform != "linux":
        return None
    system = ctypes.PyDLL(None)
    try:
        create, set_time = system.timer_create, system.timer_settime
    except AttributeError:  # an older C library has them elsewhere
        return None
    create.argtypes = (c_int, POINTER(_Event), POINTER(c_void_p))
    set_time.argtypes = (c_void_p, c_int, POINTER(_Times), c_void_p)
    # A reference of its own, never given back: it may ring while an interpreter that ends frees its engines.
    engine_for_ever = capi.address(ffi.wasmtime_engine_clone(engine.ptr()))
    event, timer = _Event(_Value(pointer=engine_for_ever), 0, _SIGEV_THREAD, _INCREMENT.value), c_void_p()
    return None if create(_CLOCK_MONOTONIC, byref(event), byref(timer)) else Alarm(timer, set_time)
