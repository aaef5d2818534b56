"""Functions of any component as actions: JSON in, JSON out, checked against the WIT types before the guest is entered.

An export of ours takes the texts of ``remit:unit``; any other (``"local:calc/api#add"``, ``"add"``) takes one text, an
object with a property for each parameter. A function that gives a ``result`` fails with what its ``err`` side holds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import ExportMissing, HostFault, InputInvalid, OutputTooLarge, SchemaInvalid
from remit.kernel.model import Exported, GuestOutcome
from remit.sandbox.wit.contract import EXPORTS, Shape, short_name
from remit.sandbox.wit.derive import describe
from remit.sandbox.wit.jsonform import Misfit, from_json, to_json
from remit.sandbox.wit.spelling import Unsupported, parse_signature
from remit.sandbox.wit.types import Record, Result, Signature
from remit.schemas import Validator

__all__ = ["PlainFunction", "find_plain", "plain_functions"]


class PlainFunction:
    """One function of a component of any world, and how JSON becomes its arguments and its result JSON."""

    def __init__(self, name: str, signature: Signature, names: tuple[str, ...]) -> None:
        self.name = name
        self.signature = signature
        self._names = names
        self._take = from_json(Record(tuple(zip(names, signature.params, strict=True))))
        self._fails = isinstance(signature.result, Result)
        sides = (signature.result.ok, signature.result.err) if isinstance(signature.result, Result) else ()
        self._sides = dict(zip(("ok", "err"), map(to_json, sides), strict=False))
        self._give = to_json(None if self._fails else signature.result)

    def arguments(self, texts: tuple[Any, ...]) -> tuple[Any, ...]:
        """The function's arguments, from one JSON text.

        :raises InputInvalid: if the text does not stand for them
        """
        if len(texts) != 1:
            raise HostFault(f"{self.name} takes one text, not {len(texts)}")
        try:
            taken = self._take(msgspec.json.decode(texts[0]), "")
        except Misfit as error:
            fault = {"path": error.path, "message": str(error)}
            raise InputInvalid(
                f"the input of {self.name} has a fault: {error.path or 'the value'} {error}",
                remedy="the schema of the action says what it takes",
                faults=[fault],
            ) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InputInvalid(f"the input of {self.name} is not JSON: {error}", faults=[]) from error
        return tuple([taken[name] for name in self._names])

    def outcome(self, value: Any, most: int) -> GuestOutcome:
        """What the function gave, in the kernel's terms.

        :param most: bytes of text that it may become
        :raises OutputTooLarge: if it becomes more
        """
        tag, give = "ok", self._give
        if self._fails:
            tag, value = value
            give = self._sides[tag]
        data = msgspec.json.encode(give(value))
        if len(data) > most:
            raise OutputTooLarge(f"the guest returned more than {most} bytes", limit=most)
        if tag == "ok":
            return GuestOutcome("ok", data.decode())
        return GuestOutcome("failed", data.decode(), typed=True)


def plain_functions(shape: Shape) -> dict[str, Exported]:
    """Every exported function that is not our world's own, by export."""
    return {
        f"{export}#{function}" if function else export: _exported(
            signature, shape.parameters.get(export, {}).get(function, ())
        )
        for export, members in shape.exports.items()
        if members is not None and short_name(export) not in EXPORTS
        for function, signature in members.items()
    }


def _exported(spelled: str, names: tuple[str, ...]) -> Exported:
    try:
        found = describe(spelled, names)
        for schema in (found.input, found.output):
            Validator(schema or {})
    except Unsupported as error:
        return Exported(problem=str(error))
    except SchemaInvalid as error:
        return Exported(problem=f"its schema is too much to check: {error.message}")
    return found


def find_plain(shape: Shape, export: str) -> PlainFunction:
    """The function behind ``"interface#function"``, or behind ``"function"`` at the root.

    :raises ExportMissing: if there is none, or no JSON can stand for its values
    """
    interface, _, name = export.partition("#")
    functions = shape.exports.get(interface)
    if functions is None or name not in functions:
        raise ExportMissing(f"the component does not export {export[:200]}", exports=sorted(shape.exports)[:50])
    names = shape.parameters.get(interface, {}).get(name, ())
    try:
        signature = parse_signature(functions[name])
        return PlainFunction(export, signature, names)
    except (Unsupported, ValueError) as error:
        raise ExportMissing(f"{export[:200]} cannot be called: {error}", exports=sorted(shape.exports)[:50]) from error
