"""What stands behind the functions of a linker: the door or the closed world, and how values cross.

A target is made once for the whole process, its values planned; it knows no store and no call but the one it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasmtime import _ffi as ffi

from remit.errors import GuestTrapped
from remit.kernel.answers import Ok, Refused
from remit.sandbox import capi
from remit.sandbox.call import MAX_MESSAGE, Call, refused, value_of
from remit.sandbox.layout import planned
from remit.sandbox.packing import boxer
from remit.sandbox.reading import Read, reader
from remit.sandbox.types import Result, Signature
from remit.sandbox.values import TextBudget, check_value, lift, lower

__all__ = ["CLOSED", "Serve", "Target", "through"]

Serve = Callable[[Call, tuple[Any, ...]], Any]


class Target:
    """What stands behind one function of the linker: a function of ours, and how its values cross."""

    __slots__ = ("_reads", "_signature", "counts", "give", "names", "serve", "shape", "strict", "take")

    def __init__(
        self,
        signature: Signature,
        serve: Serve,
        names: tuple[str, str] = ("", ""),
        shape: Callable[[Any], Any] = lambda found: found,
    ) -> None:
        """Keep the function and plan its values.

        :param names: interface and function, for what goes through the door
        :param shape: from the door's answer to the value that the signature wants
        """
        self.strict = True
        """Whether a component that declares another number of values is stopped."""
        self.serve = serve
        self.names = names
        self.shape = shape
        self.counts = (len(signature.params), int(signature.result is not None))
        self._signature = signature
        params, result = signature.params, signature.result
        fast = capi.FAST and all(map(planned, params))
        self._reads = tuple((i * capi.VAL_SIZE, reader(kind)) for i, kind in enumerate(params)) if fast else ()
        self.take: Callable[[Call, int], tuple[Any, ...]] = self._take_planned if fast else self._take_declared
        if len(self._reads) == 1:
            self.take = _taker(self._reads[0][1])
        self.give: Callable[[Call, Any, int], None] = self._give_declared
        if result is None:
            self.give = _give_nothing
        elif capi.FAST and planned(result):
            self.give = _giver(signature)

    def _take_planned(self, call: Call, address: int) -> tuple[Any, ...]:
        if not self._reads:
            return ()
        budget = TextBudget(call.text)
        return tuple([read(address + at, budget) for at, read in self._reads])

    def _take_declared(self, call: Call, address: int) -> tuple[Any, ...]:
        kinds = self._signature.params
        slots = (ffi.wasmtime_component_val_t * len(kinds)).from_address(address) if kinds else ()
        budget = TextBudget(call.text)
        return tuple(lift(kind, slot, budget, call.number) for kind, slot in zip(kinds, slots, strict=True))

    def _give_declared(self, call: Call, value: Any, address: int) -> None:
        assert self._signature.result is not None
        check_value(self._signature.result, value)
        out = ffi.wasmtime_component_val_t.from_address(address)
        lower(self._signature.result, value, out, call.resource)


def _taker(read: Read) -> Callable[[Call, int], tuple[Any, ...]]:
    """As ``_take_planned``, for the one argument that most functions have."""

    def take(call: Call, address: int) -> tuple[Any, ...]:
        return (read(address, TextBudget(call.text)),)

    return take


def _give_nothing(_call: Call, _value: Any, _address: int) -> None:
    """A function without a result."""


def _giver(signature: Signature) -> Callable[[Call, Any, int], None]:
    assert signature.result is not None
    box = boxer(signature.result)

    def give(_call: Call, value: Any, address: int) -> None:
        keep: list[Any] = []
        # wasmtime frees what it is given: it gets a copy of its own making.
        capi.component_value_clone(box(value, keep), address)

    return give


def through(interface: str, function: str, signature: Signature) -> Target:
    """A target behind the call's own door."""

    def shape(found: Any) -> Any:
        if signature.result is None:
            return None
        if isinstance(signature.result, Result):
            if type(found) is Ok:
                return ("ok", found.value)
            if isinstance(found, Refused):
                return ("err", {"code": found.code, "message": found.message[:MAX_MESSAGE]})
        elif isinstance(found, Refused):
            raise refused(interface, function, found)
        return value_of(found)

    def serve(call: Call, arguments: tuple[Any, ...]) -> Any:
        return shape(call.host(interface, function, arguments))

    return Target(signature, serve, (interface, function), shape)


def _not_served(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest used a part of WASI that is closed to it")


CLOSED: Final = Target(Signature(), _not_served)
"""Every function of WASI that nothing serves: its arguments are not even looked at."""
CLOSED.strict = False
