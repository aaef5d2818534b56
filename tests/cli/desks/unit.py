"""Says who left last, and what a page says."""

from __future__ import annotations

from remit_unit import Handler, Provider, action, http, on, state

__all__ = ["Handler", "Provider"]


@action
def who() -> str:
    """Who left last."""
    return state.get("left") or "nobody"


@action
def look() -> dict[str, object]:
    """What the page says, and who left."""
    return {"page": http.get("https://page.example/a").body, "left": who()}


@on("person.left")
def note(event: dict[str, object]) -> None:
    """Keep who left."""
    state.put("left", str(event["data"]))
