"""The root of the tree, the exit codes, and errors as data."""

from __future__ import annotations

from typing import Any, ClassVar

EXIT_ERROR = 1
EXIT_CHANGES = 2
EXIT_REFUSED = 3
EXIT_USAGE = 64

_BY_CODE: dict[str, type[RemitError]] = {}


class RemitError(Exception):
    """The root of the tree.

    ``message`` says what was refused and why, ``remedy`` the one command or edit that would help, and ``details`` holds
    JSON-able facts for programs (never secrets: details are shown and journalled).
    """

    code: ClassVar[str] = "RM-0000"
    exit_code: ClassVar[int] = EXIT_ERROR
    default_remedy: ClassVar[str] = ""

    def __init_subclass__(cls, code: str = "", exit_code: int | None = None, remedy: str | None = None) -> None:
        if exit_code is not None:
            cls.exit_code = exit_code
        if remedy is not None:
            cls.default_remedy = remedy
        if not code:
            return
        if code in _BY_CODE:
            msg = f"error code {code} is taken by {_BY_CODE[code].__name__}"
            raise TypeError(msg)
        cls.code = code
        _BY_CODE[code] = cls

    def __init__(self, message: str, *, remedy: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = self.default_remedy if remedy is None else remedy
        self.details = details

    def __str__(self) -> str:
        tail = f" — {self.remedy}" if self.remedy else ""
        return f"[{self.code}] {self.message}{tail}"

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able data: ``code``, ``message``, ``remedy``, ``details``."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "details": self.details}


def from_dict(data: dict[str, Any]) -> RemitError:
    """The error that :meth:`RemitError.as_dict` described; an unknown code becomes a plain :class:`RemitError`."""
    kind = _BY_CODE.get(str(data.get("code")), RemitError)
    details = data.get("details") or {}
    return kind(str(data.get("message", "unknown error")), remedy=str(data.get("remedy", "")), **details)


def catalogue() -> dict[str, type[RemitError]]:
    """Every stable code with its class, in the order of the codes."""
    return dict(sorted(_BY_CODE.items()))


class UsageError(RemitError, code="RM-1000", exit_code=EXIT_USAGE):
    """The words of a command or call are off."""
