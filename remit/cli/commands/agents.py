"""Agents: serving them, and pinning the tools of other servers, in the Model Context Protocol."""

from __future__ import annotations

import click

from remit.cli.render.agents import pins
from remit.cli.session import Session, verb
from remit.host import Caller, agent_bridge

__all__ = ["pin", "serve"]


@verb("mcp serve", example="remit mcp serve --operator ticket-bot")
@click.option("--operator", default="local", show_default=True, metavar="NAME", help="On whose behalf: of remit.toml.")
def serve(session: Session, operator: str) -> None:
    """Offer the home's actions as tools to the program that starts this.

    It speaks over standard input and output until that program hangs up. Tools are the actions that the operator may
    invoke, as policy says at each call; read models, documents and traces are resources. Over HTTP the same is at /mcp
    of 'remit serve'.
    """
    with session.connect() as kernel:
        agent_bridge(session.home).serve(kernel, Caller(principal=operator, client="mcp"))


@verb("mcp pin", example="remit mcp pin weather\nremit mcp pin weather --json")
@click.argument("server", metavar="SERVER")
def pin(session: Session, server: str) -> None:
    """Show the tools of another server with the digests that pin them.

    SERVER is one of [mcp.NAME] in remit.toml. A tool becomes the action mcp/SERVER:TOOL when its line stands there,
    with the kernel's next start. Read what it says of itself first: a model will.
    """
    found = agent_bridge(session.home).remote_tools(session.home, server)
    session.answer(found, *pins(server, found))
