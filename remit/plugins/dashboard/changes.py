"""What a person does on a page: plan, apply, revert, approve, revoke, call, replay: operations of the façade.

A plan is made again at apply, from the same words, and applied only if it is the one that was shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from remit.errors import ActionUnknown, PlanStale, RemitError, RequestInvalid
from remit.host import Facade
from remit.kernel.model import Caller
from remit.plugins.dashboard.forms import Fields, value_from
from remit.plugins.dashboard.rendering import page
from remit.units import Plan

__all__ = ["CHANGES", "Change"]

Change = Callable[[Facade, Caller, Fields], Response]


def _planned(facade: Facade, caller: Caller, form: Fields) -> Plan:
    """The plan that the form's words mean: units to add, to remove, or a revert; none is what ``remit.toml`` wants."""
    return facade.plan(
        _words(form, "add"), _words(form, "remove"), revert=form.get("revert", "").strip(), caller=caller
    )


def _words(form: Fields, name: str) -> Sequence[str]:
    return form.get(name, "").replace(",", " ").split()


def plan(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Show what would change."""
    return page("part_plan.html", {"plan": _planned(facade, caller, form), "form": form})


def apply(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Apply the plan that was shown.

    :raises PlanStale: if it would be another one now
    """
    found = _planned(facade, caller, form)
    if found.digest != form.get("digest"):
        raise PlanStale("the home has moved since this plan was shown", remedy="look at the plan again")
    made = facade.apply(found, consent="consent" in form, message=form.get("message", "")[:500], caller=caller)
    return _done(f"generation {made.number} is active", "/ui/units")


def call(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Call an action with the input that the form means."""
    name = form.get("action", "")
    action = next((one for one in facade.actions(caller=caller) if one["name"] == name), None)
    if action is None:
        raise ActionUnknown(f"the active generation offers no {name[:200]!r}")
    try:
        text = json.dumps(value_from(action["input"], form), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid("the input is no JSON: it holds what is no number, or is too deep") from error
    outcome = facade.call_text(name, text, caller=caller)
    return page("part_outcome.html", {"outcome": outcome})


def answer(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Approve or refuse a question."""
    given = form.get("given") == "yes"
    facade.answer(form.get("consent", ""), given=given, reason=form.get("reason", "")[:500], caller=caller)
    return _done("approved" if given else "refused", "/ui/leases")


def revoke(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Revoke one grant."""
    grant = form.get("grant", "")
    if not grant:
        raise RequestInvalid("no grant is named")
    facade.revoke(grant, reason=form.get("reason", "")[:500] or "on the dashboard", caller=caller)
    return _done(f"{grant} is revoked", "/ui/leases")


def why(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Which policies decide something, and what would have to change."""
    found = facade.why(form.get("unit", ""), form.get("action", ""), form.get("resource", ""), caller=caller)
    return page("part_why.html", {"found": found, "asked": form})


def replay(facade: Facade, caller: Caller, form: Fields) -> Response:
    """Deliver a subscription's dead letters again."""
    count = facade.replay(form.get("name", ""), caller=caller)
    return _done(f"{count} letters are delivered again", "/ui/dead-letters")


def _done(words: str, to: str) -> Response:
    """Tell htmx to go to a page and say what was done."""
    headers = {"hx-redirect": to, "hx-trigger": json.dumps({"done": words})}
    return Response(words, media_type="text/plain", headers=headers)


CHANGES: Mapping[str, Change] = {
    "plan": plan, "apply": apply, "call": call, "answer": answer, "revoke": revoke, "why": why, "replay": replay,
}  # fmt: skip


def refused(error: RemitError) -> Response:
    """An error as a part of a page: htmx puts it where the answer would be."""
    return page("part_error.html", {"error": error})


def performed(facade: Facade, name: str, request: Request, form: Fields) -> Response:
    """Do what the form asks; what is refused is shown beside the form."""
    try:
        return CHANGES[name](facade, request.state.caller, form)
    except RemitError as error:
        return refused(error)


def sign_out(_request: Request, _form: Fields) -> Response:
    """Forget the token."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie("remit_token", httponly=True, samesite="strict", path="/")
    return response
