"""How a unit says no, and how the host does."""

from __future__ import annotations

__all__ = ["Refused", "Rejected", "Retry"]


class Rejected(Exception):  # noqa: N818 - named by what happened
    """The input is not one that this unit takes. The caller is at fault, and is told why."""


class Retry(Exception):  # noqa: N818 - as above
    """Not now: try again later."""

    def __init__(self, after_ms: int, reason: str = "") -> None:
        """:param after_ms: how long to wait, in milliseconds"""
        super().__init__(reason or f"try again in {after_ms} ms")
        self.after_ms = after_ms


class Refused(Exception):  # noqa: N818 - as above
    """The host did not do it. ``code`` is the WIT's ``refusal``: ``denied``, ``exhausted``, ``not-found`` and so on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
