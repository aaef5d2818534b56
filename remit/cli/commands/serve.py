"""Serving a home over HTTP until Ctrl-C."""

from __future__ import annotations

import click
from rich.text import Text

from remit.cli.session import Session, verb
from remit.host import ServiceOptions, new_token, open_service

__all__ = ["serve"]


@verb("serve", example="remit serve --port 8080\nremit serve --new-token")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="A further name by which it is reached.")
@click.option(
    "--rate", default=10_000.0, type=click.FloatRange(1), show_default=True, help="Requests a second of an operator."
)
@click.option("--no-session-token", is_flag=True, help="Make no token of this run; only those of remit.toml speak.")
@click.option("--new-token", is_flag=True, help="Make a token for remit.toml, print it once, and serve nothing.")
def serve(
    session: Session,
    host: str,
    port: int,
    names: tuple[str, ...],
    rate: float,
    *,
    no_session_token: bool,
    new_token: bool,
) -> None:
    """Serve the home over HTTP: state, events, actions.

    Requests carry a bearer token: that of this run, which speaks for the local operator and is printed when the service
    starts, or one whose digest stands in remit.toml under [operator.NAME] tokens.
    """
    if new_token:
        _print_token(session)
        return
    token = "" if no_session_token else _fresh(session)[0]
    with session.connect() as kernel:
        options = ServiceOptions(
            root=session.home.absolute(), host=host, port=port, names=names, rate=rate, token=token
        )
        service = open_service(kernel, options)
        service.bind()
        session.line({"url": service.url, "token": token}, Text(f"serving {service.url}   Ctrl-C ends it"))
        if token:
            session.hint(f"token of this run: {token}")
            session.hint(f"in a browser: {service.url}/login#{token}")
        try:
            service.run()
        except KeyboardInterrupt:  # the service has drained by now; the signal only says why it ended
            session.hint("stopped")


def _fresh(session: Session) -> tuple[str, str]:
    return new_token(session.home)


def _print_token(session: Session) -> None:
    token, digest = _fresh(session)
    session.answer(
        {"token": token, "digest": digest},
        Text(f"token   {token}", no_wrap=True),
        Text(f"digest  {digest}", no_wrap=True),
    )
    session.hint(
        'keep the token; the digest goes into remit.toml: [operator.NAME] roles = ["caller"], tokens = [DIGEST]'
    )
