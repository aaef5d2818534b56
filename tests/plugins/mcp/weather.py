"""A server of tools, made with the official SDK as others make theirs. Its first argument is what it says of one."""

from __future__ import annotations

import asyncio
import sys

from mcp.server.fastmcp import FastMCP

server = FastMCP("weather", port=int(sys.argv[3]) if len(sys.argv) > 3 else 0, log_level="CRITICAL")


@server.tool(description=sys.argv[1])
def forecast(city: str) -> dict[str, str]:
    return {"city": city, "sky": "clear"}


@server.tool(description="Fails.")
def Big_Storm() -> str:  # noqa: N802 - others name their tools as they like
    raise ValueError("the sky fell")


@server.tool(description="Takes its time.")
async def wait() -> str:
    await asyncio.sleep(60)
    return "late"


@server.tool(description="Says too much.")
def flood() -> str:
    return "x" * (20 << 20)


if __name__ == "__main__":
    server.run(sys.argv[2])
