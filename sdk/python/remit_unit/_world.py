"""The one door to the host: the world's imports in the sandbox, a :class:`Host` in use natively. No stability."""

from __future__ import annotations

from contextvars import ContextVar
from importlib import import_module
from typing import Any, Protocol

from remit_unit.errors import Refused

__all__ = ["Host", "ask", "fetch", "log", "native", "raised", "read_file", "write_file"]

_INTERFACES = ("log", "parameters", "clock", "random", "state", "events", "http", "files", "secrets", "actions")


class Host(Protocol):
    """Answers host calls natively."""

    def answer(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """The function's result.

        :raises Refused: if it is not to be had
        """
        ...


native: ContextVar[Host | None] = ContextVar("remit_unit_host", default=None)
_found: dict[str, Any] = {}
_err: Any = None
# The sandbox runs this when the unit is built: afterwards nothing can be imported any more.
try:
    _err = import_module("componentize_py_types").Err
except ImportError:
    pass
else:
    for _name in (*_INTERFACES, "types"):
        try:
            _found[_name] = import_module(f"wit_world.imports.{_name}")
        except ImportError:
            continue


def ask(interface: str, function: str, *arguments: Any) -> Any:
    """One host call.

    :raises Refused: if the host refuses, or there is no such interface in the unit's world
    """
    if _err is None:
        host = native.get()
        if host is None:
            raise Refused("unavailable", "no host: use 'with Memory():' of remit_unit.native")
        return host.answer(interface, function, arguments)
    module = _found.get(interface)
    if module is None:
        raise Refused("denied", f"unit.toml declares nothing that needs {interface!r}")
    try:
        return getattr(module, function)(*arguments)
    except _err as error:
        refusal = error.value
        raise Refused(refusal.code.name.lower().replace("_", "-"), refusal.message) from None


def fetch(method: str, url: str, headers: list[tuple[str, str]], body: str, timeout_ms: int) -> Any:
    """``http.fetch`` with the world's own record."""
    if _err is None or "http" not in _found:
        return ask("http", "fetch", method, url, headers, body, timeout_ms)
    web = _found["http"]
    return ask("http", "fetch", web.Request(method, url, headers, body, _encoding("http"), timeout_ms))


def read_file(path: str) -> str:
    """``files.read`` with the world's own encoding."""
    return str(ask("files", "read", path, _encoding("files")))


def write_file(path: str, content: str) -> int:
    """``files.write`` with the world's own encoding."""
    return int(ask("files", "write", path, content, _encoding("files")))


def _encoding(interface: str) -> Any:
    return "utf8" if _err is None or interface not in _found else _found["types"].Encoding.UTF8


def log(level: str, message: str, fields: str) -> None:
    """``log.write`` with the world's own level."""
    chosen = level if _err is None else getattr(_found["log"].Level, level.upper()) if "log" in _found else level
    ask("log", "write", chosen, message, fields)


def raised(kind: str, message: str, after_ms: int = 0) -> Exception | None:
    """What the sandbox makes of an error of the unit (``rejected``, ``retry``, ``failed``); natively ``None``."""
    if _err is None:
        return None
    types = _found["types"]
    if kind == "retry":
        value = types.Error_Retry(types.RetryAfter(after_ms, message))
    else:
        value = types.Error_Rejected(message) if kind == "rejected" else types.Error_Failed(message)
    error: Exception = _err(value)
    return error
