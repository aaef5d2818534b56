"""Signal handlers that raise while a guest runs or asks its host: the guest stops, the error arrives, nothing crashes.

Each runs in a process of its own: what these tests are about used to end in a segmentation fault.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, threading, time
from remit.errors import CallCancelled
from remit.host import Kernel

home, signals, name, where, turns = *sys.argv[1:5], int(sys.argv[5])
number = getattr(signal, name)

class Raised(Exception):
    pass

def handler(*_):
    raise Raised

if number == signal.SIGINT:
    Raised = KeyboardInterrupt
else:
    signal.signal(number, handler)

with Kernel.open(home, signals=signals, serve=False) as kernel:
    before = signal.getsignal(number)
    ready = threading.Event()
    if where == "host":
        interfaces = kernel._rooms.dispatcher._interfaces
        state = interfaces["state"]
        real = dict(state.functions)

        def slow(function):
            def call(scope, *arguments):
                ready.set()
                ends = time.monotonic() + 1
                while time.monotonic() < ends:
                    pass  # Python code, so that the handler runs right here
                return function(scope, *arguments)
            return call

        state.functions = {key: slow(function) for key, function in real.items()}
        action = "acme/counter:increment"
    else:
        run = kernel._rooms.runner.run
        def told(*arguments, **named):
            ready.set()
            return run(*arguments, **named)
        kernel._rooms.runner.run = told
        action = "acme/loop:spin"

    for turn in range(turns):
        ready.clear()
        def send():
            ready.wait(30)
            time.sleep(0.02)
            os.kill(os.getpid(), number)
        thread = threading.Thread(target=send)
        thread.start()
        try:
            kernel.call(action, {})
        except Raised:
            print("raised")
        except Exception as error:
            print("another", type(error), error)
        thread.join()
    if where == "host":
        state.functions = real
    print(kernel.call("acme/echo:echo", "well"))
print("restored" if signal.getsignal(number) in (handler, signal.default_int_handler) else signal.getsignal(number))
"""


@pytest.mark.parametrize("signals", ["leave", "manage"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGALRM"])
@pytest.mark.parametrize("where", ["host", "guest"])
def test_a_handler_that_raises_stops_the_guest_and_never_the_process(active_home, signals, name, where):
    words = [sys.executable, "-c", SCRIPT, str(active_home), signals, name, where, "3"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["raised"] * 3 + ["well", "restored"]), done.stderr[-2000:]


QUIET = """
import os, signal, sys, threading, time
from remit.host import Kernel

heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(threading.current_thread().name))
with Kernel.open(sys.argv[1], signals="manage", serve=False) as kernel:
    threads = []
    run = kernel._rooms.runner.run
    def told(*arguments, **named):
        threads.append(threading.current_thread().name)
        os.kill(os.getpid(), signal.SIGUSR1)
        return run(*arguments, **named)
    kernel._rooms.runner.run = told
    print(kernel.call("acme/echo:echo", "well"))
print(*heard, *threads)
"""


def test_a_handler_that_does_not_raise_changes_nothing_and_the_call_stays_on_the_main_thread(active_home):
    words = [sys.executable, "-c", QUIET, str(active_home)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["well", "MainThread", "MainThread"]
