"""Drawing the tools of other servers as the lines of ``remit.toml`` that pin them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from remit.cli.text import one_line
from remit.host import RemoteTool

__all__ = ["pins"]


def pins(server: str, tools: Sequence[RemoteTool]) -> Iterator[Text]:
    """The table of a server's pins, each under what the tool says of itself, with how it stands."""
    yield Text(f"[mcp.{server}.tools]", no_wrap=True)
    for tool in tools:
        yield Text(f"# {_standing(tool)}, {tool.action}: {one_line(tool.description, 200)}", style="dim", no_wrap=True)
        yield Text(f'{one_line(tool.name)} = "{tool.digest}"', no_wrap=True)


def _standing(tool: RemoteTool) -> str:
    if not tool.pinned:
        return "not pinned"
    return "pinned" if tool.pinned == tool.digest else "CHANGED since it was pinned"
