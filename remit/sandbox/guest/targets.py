"""What stands behind the functions of a linker: the door or the closed world, and how values cross.

A target is made once for the whole process, its values planned; it knows no store and no call but the one it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 - an exception, in a module that speaks of others
from typing import Any, Final

from wasmtime import _ffi as ffi

from remit.errors import GuestTrapped
from remit.kernel.answers import Ok, Refused
from remit.sandbox.crossing.answering import plain_answerer, text_answerer
from remit.sandbox.crossing.layout import planned
from remit.sandbox.crossing.packing import boxer, result_boxer
from remit.sandbox.crossing.reading import reader, text_taker
from remit.sandbox.crossing.values import TextBudget, check_value, lift, lower
from remit.sandbox.engines import capi
from remit.sandbox.guest.call import MAX_MESSAGE, MAX_TEXT, Call, refused, value_of
from remit.sandbox.wit.types import STRING, Result, Signature, Type

__all__ = ["CLOSED", "LIE", "Closed", "Serve", "Through", "closed_world", "through"]

Serve = Callable[[Call, tuple[Any, ...]], Any]
"""From a call and a guest's arguments to what the guest is given."""
Take = Callable[[Call, int], tuple[Any, ...]]
"""(call, address of the arguments' slots) → arguments."""
Give = Callable[[Call, Any, int], None]
"""(call, what was found, address of the result's slot): writes it as the function's result, which wasmtime frees."""


@dataclass(frozen=True, slots=True)
class Through:
    """What stands behind one function of our world: the call's own door."""

    interface: str
    function: str
    take: Take
    give: Give


@dataclass(frozen=True, slots=True)
class Closed:
    """What stands behind one function of WASI: an answer of ours."""

    given: int
    wanted: int
    """How many arguments and results it has."""
    strict: bool
    """Whether a component that declares another number of them is stopped."""
    answer: Callable[[Call, int, int], bool]
    """(call, arguments, result): answers the guest; ``False``, and whatever it raises, stops the guest."""


def through(interface: str, function: str, signature: Signature) -> Through:
    """A target behind the call's own door."""
    kind = signature.result
    give = _fallible_giver(kind) if isinstance(kind, Result) else _infallible_giver(kind, interface, function)
    return Through(interface, function, _taker(signature.params), give)


def closed_world(signature: Signature, serve: Serve, *, strict: bool = True) -> Closed:
    """A target that a function of ours answers by itself."""
    take, give = _taker(signature.params), _giver(signature.result)

    def answer(call: Call, arguments: int, result: int) -> bool:
        value = serve(call, take(call, arguments))
        if call.host.abort is not None:
            return False
        give(call, value, result)
        return True

    return Closed(len(signature.params), int(signature.result is not None), strict, answer)


# ---- a guest's arguments ----


def _taker(kinds: tuple[Type, ...]) -> Take:
    if not kinds:
        return lambda _call, _address: ()
    if not (capi.FAST and all(map(planned, kinds))):
        return _declared_taker(kinds)
    if kinds == (STRING,):
        return text_taker(MAX_TEXT)
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


# ---- its result ----


def _fallible_giver(kind: Result) -> Give:
    """For a function that can say no: gives the door's answer."""
    if not (capi.FAST and planned(kind)):
        declared = _giver(kind)
        return lambda call, found, address: declared(call, _tagged(found), address)
    box, clone = result_boxer(kind), capi.component_value_clone

    def give(_call: Call, found: Any, address: int) -> None:
        keep: list[Any] = []
        if type(found) is Ok:
            clone(box(True, found.value, keep), address)  # noqa: FBT003 - as the function says
        else:
            tag, value = _tagged(found)
            clone(box(tag == "ok", value, keep), address)

    answer_text = text_answerer()

    def give_text(call: Call, found: Any, address: int) -> None:
        if type(found) is Ok and type(value := found.value) is str:
            try:
                answer_text(value, address)
            except UnicodeEncodeError:
                pass  # said below
            else:
                return
        give(call, found, address)

    return give_text if kind.ok == STRING else give


def _tagged(found: Any) -> tuple[str, Any]:
    if isinstance(found, Refused):
        return ("err", {"code": found.code, "message": found.message[:MAX_MESSAGE]})
    return ("ok", value_of(found))


def _infallible_giver(kind: Type | None, interface: str, function: str) -> Give:
    """For a function that cannot: the door's refusal stops the guest, if there is anything to give."""
    if kind is None:
        return _giver(None)
    give_value = _giver(kind)

    def give(call: Call, found: Any, address: int) -> None:
        if isinstance(found, Refused):
            raise refused(interface, function, found)
        give_value(call, value_of(found), address)

    if (answer := plain_answerer(kind) if capi.FAST else None) is None:
        return give

    def give_plain(call: Call, found: Any, address: int) -> None:
        try:
            if type(found) is Ok and answer(found.value, address):
                return
        except StructError:
            pass  # said below
        give(call, found, address)

    return give_plain


def _giver(kind: Type | None) -> Give:
    if kind is None:
        return lambda _call, _value, _address: None
    if capi.FAST and planned(kind):
        box, clone = boxer(kind), capi.component_value_clone

        def give(_call: Call, value: Any, address: int) -> None:
            keep: list[Any] = []
            # wasmtime frees what it is given: it gets a copy of its own making.
            clone(box(value, keep), address)

        return give

    def give_declared(call: Call, value: Any, address: int) -> None:
        check_value(kind, value)
        lower(kind, value, ffi.wasmtime_component_val_t.from_address(address), call.resource)

    return give_declared


def _not_served(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest used a part of WASI that is closed to it")


def _lied(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest imports a function of WASI under another signature")


LIE: Final = closed_world(Signature(), _lied, strict=False)
"""What answers a guest that declared such a function otherwise than it is: its arguments are not even looked at."""
CLOSED: Final = closed_world(Signature(), _not_served, strict=False)
"""Every function of WASI that nothing serves: its arguments are not even looked at."""
