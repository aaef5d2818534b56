"""Agents: serving them, over the Model Context Protocol."""

from __future__ import annotations

import click

from remit.cli.session import Session, verb
from remit.host import Caller, agent_bridge

__all__ = ["serve"]


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
