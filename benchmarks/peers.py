"""The hosts that Remit is measured against, each used as its manual shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from benchmarks.guests import component, plugin

__all__ = ["NOW", "Extism", "Pipe", "Stock", "plain"]

SECRET = "correct horse"  # noqa: S105 - what the host answers in every benchmark
NOW = 1 << 40
"""What it answers where a number is wanted."""


class Extism:
    """Extism's Python SDK with one compiled plugin."""

    def __init__(self) -> None:
        import extism  # noqa: PLC0415 - a peer is imported by the benchmarks that need it

        one = [extism.ValType.I64]

        @extism.host_fn(name="read", namespace="extism:host/user", signature=(one, one))
        def read(self: Any, inputs: Any, outputs: Any, *_rest: Any) -> None:
            name = self.input_string(inputs[0])
            if name:
                self.return_string(outputs[0], SECRET)

        @extism.host_fn(name="now", namespace="extism:host/user", signature=([], one))
        def now(_self: Any, _inputs: Any, outputs: Any, *_rest: Any) -> None:
            outputs[0].value = NOW

        self._extism = extism
        self._functions = [read, now]
        self._compiled = extism.extism.CompiledPlugin(plugin(), wasi=False, functions=self._functions)
        self._plugin = extism.Plugin(self._compiled)

    def call(self, function: str, text: str) -> str:
        """A call of the plugin that stays."""
        return bytes(self._plugin.call(function, text)).decode()

    def fresh(self, function: str, text: str) -> str:
        """A call of a plugin of its own."""
        return bytes(self._extism.Plugin(self._compiled).call(function, text)).decode()


class Stock:
    """The component through wasmtime's own Python classes."""

    def __init__(self) -> None:
        from wasmtime import Config, Engine  # noqa: PLC0415 - as above
        from wasmtime import component as wc  # noqa: PLC0415

        config = Config()
        config.epoch_interruption = True
        self._engine = Engine(config)
        self._component = wc.Component(self._engine, component())
        self._linker = wc.Linker(self._engine)
        with self._linker.root() as root, root.add_instance("remit:unit/secrets@0.1.0") as secrets:
            secrets.add_func("read", lambda _store, _name: SECRET)
        with self._linker.root() as root, root.add_instance("remit:unit/clock@0.1.0") as clock:
            clock.add_func("monotonic-ns", lambda _store: NOW)
        outer = self._component.get_export_index("remit:unit/provider@0.1.0")
        self._index = self._component.get_export_index("call", outer)
        self.call = self.instance()

    def instance(self) -> Callable[[str, str], str]:
        """A new store and instance; gives its function."""
        from wasmtime import Store  # noqa: PLC0415 - as above

        store = Store(self._engine)
        store.set_epoch_deadline(1 << 40)
        function: Any = self._linker.instantiate(store, self._component).get_func(store, self._index)

        def call(action: str, text: str) -> str:
            return str(function(store, action, text))

        return call

    def fresh(self, action: str, text: str) -> str:
        """A call of an instance of its own."""
        return self.instance()(action, text)


class Pipe:
    """Another process that gives back what is written to it: no sandbox, but a boundary."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["cat"], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, text: str) -> str:
        """There and back."""
        process, data = self._process, text.encode()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data)
        found = b""
        while len(found) < len(data):
            found += process.stdout.read(len(data) - len(found))
        return found.decode()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def plain(_action: str, text: str) -> str:
    """The guest's logic as a Python function: no boundary at all."""
    return text.encode().decode()
