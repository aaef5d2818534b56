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
from remit.sandbox.call import MAX_MESSAGE, MAX_TEXT, Call, refused, value_of
from remit.sandbox.layout import planned
from remit.sandbox.packing import boxer
from remit.sandbox.reading import reader, text_reader
from remit.sandbox.types import STRING, Result, Signature, Type
from remit.sandbox.values import TextBudget, check_value, lift, lower

__all__ = ["CLOSED", "Serve", "Target", "closed_world", "through"]

Serve = Callable[[Call, tuple[Any, ...]], Any]
"""From a call and a guest's arguments to what the guest is given."""
Take = Callable[[Call, int], tuple[Any, ...]]
"""(call, address of the arguments' slots) → arguments."""
Give = Callable[[Call, Any, int], None]
"""(call, value, address of the result's slot): writes what wasmtime frees."""


class Target:
    """What stands behind one function of the linker."""

    __slots__ = ("answer", "give", "given", "names", "shape", "strict", "take", "wanted")

    def __init__(
        self,
        signature: Signature,
        names: tuple[str, str] = ("", ""),
        shape: Callable[[Any], Any] = lambda found: found,
        *,
        strict: bool = True,
    ) -> None:
        """Plan the values of a function.

        :param names: interface and function, for what goes through the door
        :param shape: from the door's answer to the value that the signature wants
        :param strict: whether a component that declares another number of values is stopped
        """
        self.strict = strict
        self.names = names
        self.shape = shape
        self.given, self.wanted = len(signature.params), int(signature.result is not None)
        self.take: Take = _taker(signature.params)
        self.give: Give = _giver(signature.result)
        self.answer: Callable[[Call, int, int], None]
        """(call, arguments, result): answers the guest; what it raises stops it."""


def _taker(kinds: tuple[Type, ...]) -> Take:
    if not kinds:
        return lambda _call, _address: ()
    if not (capi.FAST and all(map(planned, kinds))):
        return _declared_taker(kinds)
    if kinds == (STRING,):
        text = text_reader(MAX_TEXT)
        return lambda _call, address: (text(address),)
    reads = tuple((i * capi.VAL_SIZE, reader(kind)) for i, kind in enumerate(kinds))

    def take(_call: Call, address: int) -> tuple[Any, ...]:
        budget = TextBudget(MAX_TEXT)
        return tuple([read(address + at, budget) for at, read in reads])

    return take


def _declared_taker(kinds: tuple[Type, ...]) -> Take:
    """By the package's own declarations."""

    def take(call: Call, address: int) -> tuple[Any, ...]:
        slots = (ffi.wasmtime_component_val_t * len(kinds)).from_address(address)
        budget = TextBudget(MAX_TEXT)
        return tuple(lift(kind, slot, budget, call.number) for kind, slot in zip(kinds, slots, strict=True))

    return take


def _giver(kind: Type | None) -> Give:
    if kind is None:
        return lambda _call, _value, _address: None
    if capi.FAST and planned(kind):
        box = boxer(kind)

        def give(_call: Call, value: Any, address: int) -> None:
            keep: list[Any] = []
            # wasmtime frees what it is given: it gets a copy of its own making.
            capi.component_value_clone(box(value, keep), address)

        return give

    def give_declared(call: Call, value: Any, address: int) -> None:
        check_value(kind, value)
        lower(kind, value, ffi.wasmtime_component_val_t.from_address(address), call.resource)

    return give_declared


def through(interface: str, function: str, signature: Signature) -> Target:
    """A target behind the call's own door."""
    fallible = isinstance(signature.result, Result)

    def shape(found: Any) -> Any:
        if fallible:
            if type(found) is Ok:
                return ("ok", found.value)
            if isinstance(found, Refused):
                return ("err", {"code": found.code, "message": found.message[:MAX_MESSAGE]})
        elif signature.result is None:
            return None
        elif isinstance(found, Refused):
            raise refused(interface, function, found)
        return value_of(found)

    target = Target(signature, (interface, function), shape)
    take, give = target.take, target.give

    def answer(call: Call, arguments: int, result: int) -> None:
        found = call.host(interface, function, take(call, arguments))
        if call.host.abort is None:
            give(call, shape(found), result)

    target.answer = answer
    return target


def closed_world(signature: Signature, serve: Serve, *, strict: bool = True) -> Target:
    """A target that a function of ours answers by itself."""
    target = Target(signature, strict=strict)
    take, give = target.take, target.give

    def answer(call: Call, arguments: int, result: int) -> None:
        value = serve(call, take(call, arguments))
        if call.host.abort is None:
            give(call, value, result)

    target.answer = answer
    return target


def _not_served(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest used a part of WASI that is closed to it")


CLOSED: Final = closed_world(Signature(), _not_served, strict=False)
"""Every function of WASI that nothing serves: its arguments are not even looked at."""
