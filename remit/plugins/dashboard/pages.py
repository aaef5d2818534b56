"""The pages by address: a table of templates and what they show, and the routes made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from remit.errors import EXIT_REFUSED, RemitError
from remit.host import Facade
from remit.host.offers import Route
from remit.plugins.dashboard import views
from remit.plugins.dashboard.changes import CHANGES, performed, sign_out
from remit.plugins.dashboard.forms import Fields, posted
from remit.plugins.dashboard.rendering import environment, page
from remit.plugins.dashboard.static import file

__all__ = ["PAGES", "Page", "routes"]

_COOKIE_S = 30 * 86_400


class Page(NamedTuple):
    """One page. ``nav`` is its word in the navigation, "" for pages that others lead to."""

    path: str
    template: str
    view: views.View
    nav: str = ""


PAGES: Sequence[Page] = (
    Page("/", "overview.html", views.overview, "Overview"),
    Page("/ui/units", "units.html", views.units, "Units"),
    Page("/ui/actions", "actions.html", views.actions, "Actions"),
    Page("/ui/events", "events.html", views.events, "Events"),
    Page("/ui/episodes", "episodes.html", views.episodes, "Episodes"),
    Page("/ui/leases", "leases.html", views.leases, "Leases"),
    Page("/ui/documents", "documents.html", views.documents, "Documents"),
    Page("/ui/egress", "egress.html", views.egress, "Egress"),
    Page("/ui/topology", "topology.html", views.topology, "Topology"),
    Page("/ui/metrics", "metrics.html", views.metrics, "Metrics"),
    Page("/ui/dead-letters", "dead_letters.html", views.dead_letters, "Dead letters"),
    Page("/ui/experiments", "experiments.html", views.experiments, "Experiments"),
    Page("/ui/health", "health.html", views.health, "Health"),
    Page("/ui/units/{publisher}/{name}", "unit.html", views.unit),
    Page("/ui/generations/{number}", "generation.html", views.generation),
    Page("/ui/episodes/{id}", "episode.html", views.episode),
    Page("/ui/documents/{name}", "document.html", views.document),
    Page("/ui/part/health", "part_health.html", views.health),
)


def routes(facade: Facade) -> list[Route]:
    """Every route of the dashboard over one home."""
    return [
        *(Route(path=one.path, endpoint=_shown(facade, one), summary="A page of the dashboard.") for one in PAGES),
        *(Route(path=f"/ui/{name}", endpoint=_done(facade, name), methods=("POST",)) for name in CHANGES),
        Route(path="/ui/panels/{id}", endpoint=_panel),
        Route(path="/ui/static/{name}", endpoint=file, public=True),
        Route(path="/login", endpoint=_login, public=True),
        Route(path="/ui/login", endpoint=posted(_sign_in), methods=("POST",), public=True),
        Route(path="/ui/logout", endpoint=posted(sign_out), methods=("POST",), public=True),
    ]


def _shown(facade: Facade, one: Page) -> Callable[[Request], Response]:
    navigation = [(each.path, each.nav) for each in PAGES if each.nav]

    def endpoint(request: Request) -> Response:
        frame = {"navigation": navigation, "here": request.url.path, "who": request.state.caller.principal}
        try:
            found = one.view(facade, request.state.caller, request)
        except RemitError as error:
            status = 403 if error.exit_code == EXIT_REFUSED else 404
            return page("refused.html", {**frame, "title": "Refused", "error": error}, status)
        return page(one.template, {**frame, "title": one.nav, **found})

    return endpoint


def _done(facade: Facade, name: str) -> Callable[[Request], Awaitable[Response]]:
    return posted(lambda request, form: performed(facade, name, request, form))


def _panel(request: Request) -> Response:
    """A plugin's panel; what its code raises is told as its plugin's fault by whoever serves this."""
    wanted = request.path_params["id"]
    found = [panel for _, panel in request.app.state.panels if panel.id == wanted]
    if not found:
        return Response(status_code=404)
    text = environment().from_string(found[0].template).render(**found[0].data())
    return page("part_panel.html", {"panel": found[0], "text": text})


def _login(request: Request) -> Response:
    return page("login.html", {"title": "Sign in", "failed": "failed" in request.query_params})


def _sign_in(request: Request, form: Fields) -> Response:
    """Keep the token in a cookie that scripts cannot read; whether it is one, the next page finds out."""
    token = form.get("token", "").strip()
    if not (token.isascii() and token.isprintable() and 0 < len(token) <= 200 and not set(token) & set(' ";,\\')):  # noqa: PLR2004 - longer than any
        return RedirectResponse("/login?failed", 303)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        "remit_token", token, max_age=_COOKIE_S, httponly=True, samesite="strict", path="/",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response
