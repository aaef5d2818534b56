"""What each page shows: functions of the home and the query, on behalf of the caller. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from starlette.requests import Request

from remit.errors import Denied, RemitError, RequestInvalid
from remit.host import Facade, Trace
from remit.kernel.model import Caller
from remit.plugins.dashboard.forms import fields_of

__all__ = [
    "View", "actions", "dead_letters", "document", "documents", "egress", "episode", "episodes", "events",
    "experiments", "generation", "health", "leases", "metrics", "overview", "topology", "unit", "units",
]  # fmt: skip

View = Callable[[Facade, Caller, Request], Mapping[str, Any]]
_NEWEST = 50
_STEPS = 60
_SHORTEST_S = 10
"""What the read model counts together."""
_LANE = 22


def overview(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """The home at a glance, and the panels of plugins."""
    pending = [one for one in facade.consents(caller=caller) if one["state"] == "pending"]
    return {
        "home": facade.home(caller=caller),
        "units": [one for one in facade.units(caller=caller) if one.active],
        "slots": facade.slots(caller=caller),
        "pending": pending,
        "records": facade.events(last=12, caller=caller)[::-1],
        "findings": facade.findings(caller=caller),
        "panels": [panel for _, panel in sorted(request.app.state.panels, key=lambda one: one[1].order)],
    }


def health(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """What went wrong of late."""
    return {"health": facade.state("health", caller=caller)}


def units(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Installed units, and generations."""
    return {
        "entries": facade.units(caller=caller),
        "generations": facade.history(caller=caller)[::-1][:_NEWEST],
        "active": facade.home(caller=caller).generation,
    }


def unit(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """One unit."""
    path = request.path_params
    return {"facts": facade.unit(f"{path['publisher']}/{path['name']}", caller=caller)}


def generation(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """One generation, and how it differs from the one before."""
    number = _number(request.path_params["number"])
    found = facade.generation(number, caller=caller)
    return {
        "number": number,
        "generation": found,
        "diff": facade.diff(number - 1, number, caller=caller) if number > 0 else None,
        "active": facade.home(caller=caller).generation,
    }


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - digits of a record's number
        raise RequestInvalid("that is no number")
    return int(text)


def actions(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """What can be called, with a form made from each input schema."""
    found = facade.actions(caller=caller)
    uses: dict[str, Any] = {}
    with suppress(Denied):  # who may call need not be who may read
        uses = {use["action"]: use for use in facade.state("actions", caller=caller)}
    return {"actions": [one | {"fields": fields_of(one["input"]), "use": uses.get(one["name"])} for one in found]}


def events(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """The newest records; the page goes on live."""
    prefix = request.query_params.get("prefix", "")[:200]
    found = facade.events(last=_NEWEST, prefixes=(prefix,), caller=caller)
    return {"records": found[::-1], "prefix": prefix, "head": facade.home(caller=caller).head}


def episodes(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """The newest runs."""
    return {"episodes": facade.state("episodes", caller=caller)[:_NEWEST]}


def episode(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """One run: swimlanes, records to step through, and the tools that were called."""
    view = facade.episode(request.path_params["id"], caller=caller)
    calls = [span for span in view.trace.spans if span.kind == "call"]
    lines = facade.logs(view.records[0]["seq"] - 1, episode=view.id, until=view.records[-1]["seq"], caller=caller)
    return {
        "view": view,
        "lanes": _lanes(view.trace),
        "calls": calls,
        "lines": lines,
        "models": facade.models(caller=caller),
    }


def _lanes(trace: Trace) -> dict[str, Any]:
    """Swimlanes, one a unit; coordinates in thousandths of the trace's time and in pixels."""
    names = list(dict.fromkeys(span.unit or "home" for span in trace.spans))
    whole = max(trace.duration_us, 1)
    bars = []
    for span in trace.spans:
        lane = names.index(span.unit or "home")
        start = (span.start_us - trace.start_us) * 1_000 / whole
        bars.append(
            {
                "x": round(min(start, 994), 1),
                "width": round(max(span.duration_us * 1_000 / whole, 6), 1),
                "y": lane * _LANE + 4,
                "span": span,
            }
        )
    return {"names": names, "bars": bars, "height": len(names) * _LANE, "lane": _LANE}


def leases(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Grants with their leases, and questions to a person."""
    questions = facade.consents(caller=caller)
    return {
        "leases": facade.leases(caller=caller),
        "pending": [one for one in questions if one["state"] == "pending"],
        "answered": [one for one in questions if one["state"] != "pending"][::-1][:_NEWEST],
        "denials": facade.events(last=20, prefixes=("lease.denied",), caller=caller)[::-1],
    }


def egress(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Where units reached."""
    return {"egress": facade.state("egress", caller=caller)}


def topology(_facade: Facade, _caller: Caller, _request: Request) -> Mapping[str, Any]:
    """The graph; the page draws it from the read model."""
    return {}


def documents(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Names of the documents."""
    return {"names": facade.documents(caller=caller)}


def document(facade: Facade, caller: Caller, request: Request) -> Mapping[str, Any]:
    """One effective document, and who set what."""
    name = request.path_params["name"]
    return {
        "name": name,
        "value": facade.document(name, caller=caller),
        "blame": facade.blame(name, caller=caller),
    }


def dead_letters(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Durable subscriptions, and what could not be delivered."""
    return {
        "subscriptions": facade.subscriptions(caller=caller),
        "letters": facade.dead_letters(caller=caller)[::-1][:_NEWEST],
    }


def experiments(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Trials and their arms, the newest first."""
    return {"experiments": facade.state("experiments", caller=caller)}


def metrics(facade: Facade, caller: Caller, _request: Request) -> Mapping[str, Any]:
    """Calls over time, and how each action does."""
    bus: Mapping[str, Any] = {}
    with suppress(RemitError):
        bus = facade.bus(caller=caller)
    return {
        "uses": facade.state("actions", caller=caller),
        "series": _series(facade.state("activity", caller=caller)),
        "bus": bus,
    }


def _series(steps: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Completed, failed and denied calls in equal steps of the time that these span; times are Unix seconds."""
    if not steps:
        return {"time": [], "completed": [], "failed": [], "denied": []}
    times = [datetime.fromisoformat(one["at"]).timestamp() for one in steps]
    width = max((times[-1] - times[0]) / _STEPS, _SHORTEST_S)
    series = {name: [0.0] * (_STEPS + 1) for name in ("completed", "failed", "denied")}
    for time, one in zip(times, steps, strict=True):
        place = min(int((time - times[0]) / width), _STEPS)
        for name, counts in series.items():
            counts[place] += one[name]
    return {"time": [times[0] + width * index for index in range(_STEPS + 1)], **series}
