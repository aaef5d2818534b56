"""The process of a worker: runs guests for a kernel, one at a time, so that a fault of wasmtime costs only itself.

It holds the secret of the code cache and nothing else: no journal, no policy, no environment. Host calls go back to the
kernel, and their answers decide.
"""

from __future__ import annotations

import resource
import signal
import socket
from pathlib import Path
from typing import Any

from remit.errors import CallCancelled, HostFault, RemitError
from remit.kernel.answers import Ok, Refused
from remit.kernel.ports import SystemClock
from remit.sandbox.running.runner import ComponentRunner
from remit.sandbox.running.wire import Answer, Ask, Channel, Closed, Done, Failed, Run, Start

__all__ = ["main"]


class _Door:
    """The kernel's door, at the other end of the channel."""

    def __init__(self, channel: Channel, partition: str) -> None:
        self.abort: BaseException | None = None
        self.partition = partition
        self._channel = channel

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Ok | Refused:
        self._channel.send(Ask(interface, function, arguments))
        answer: Answer = self._channel.receive()
        if answer.abort:
            # The kernel knows why, and raises that.
            self.abort = CallCancelled("the kernel ends the call")
        if answer.refusal:
            return Refused(answer.refusal, answer.message)  # type: ignore[arg-type] # the kernel's own words
        return Ok(answer.value)


def main(descriptor: int) -> None:
    """Serve a kernel until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel = Channel(socket.socket(fileno=descriptor), Start | Run | Answer)
    try:
        start: Start = channel.receive()
        runner = ComponentRunner(Path(start.cache), start.key, SystemClock())
        while True:
            run: Run = channel.receive()
            channel.send(_perform(runner, run, channel))
    except Closed:
        return


def _perform(runner: ComponentRunner, run: Run, channel: Channel) -> Done | Failed:
    try:
        door = _Door(channel, run.partition)
        return Done(runner.run(run.program, run.export, run.arguments, door, run.deadline_ms))
    except Closed:
        raise
    except RemitError as error:
        return Failed(error.as_dict())
    except Exception as error:  # noqa: BLE001 - the kernel is told, and this process stays of use
        return Failed(HostFault(f"the worker failed: {type(error).__name__}: {error}").as_dict())
