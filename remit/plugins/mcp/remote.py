"""Other servers' tools as actions: what ``remit.toml`` pins becomes a service, ``mcp/SERVER:TOOL``.

A session lives for one call: nothing that a server remembers leads from one caller to another. Before each call the
server is asked for its definitions, and a tool is called only while its own is the pinned one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from mcp import ClientSession, types

from remit.errors import (
    AgentServerFailed,
    AgentServerUnknown,
    ConfigInvalid,
    DeadlineExceeded,
    InputInvalid,
    OutputInvalid,
    RemitError,
    ToolDrifted,
    UnitRejected,
)
from remit.host import Caller, Home, RemoteTool
from remit.host.offers import Service
from remit.kernel import ports
from remit.plugins.mcp.definitions import definition_digest
from remit.plugins.mcp.transport import session_with
from remit.schemas import Validator
from remit.schemas.config import AgentServer

__all__ = ["services", "tools_now"]

_OTHER = re.compile(r"[^a-z0-9]+")
_LONGEST = 63
_MOST_TOOLS = 1_000
_MOST_WORDS = 2_000
_GRACE_MS = 5_000
"""What a service has beyond its server's deadline, to tell of it and to end the server's process."""
_TELL_MS = 1_000
"""What is kept of the caller's deadline for the same, half of it at most."""
T = TypeVar("T")


def services(home: ports.Home) -> list[Service]:
    """The pinned tools of every server that ``remit.toml`` names. None of them is asked now.

    :raises ConfigInvalid: if two of them would be one action, or one can be none
    """
    found: dict[str, Service] = {}
    for name, choice in home.config.mcp.items():
        for tool, pin in choice.tools.items():
            service = _service(home, name, choice, tool, pin)
            if service.name in found or service.name.endswith(":"):
                raise ConfigInvalid(
                    f"the tool {tool} of [mcp.{name}] would be the action {service.name}, which is taken or no name",
                    remedy="leave it out",
                )
            found[service.name] = service
    return list(found.values())


def _action(server: str, tool: str) -> str:
    """The action's name, in the grammar of policy: lower case, digits and hyphens."""
    return f"mcp/{server}:{_OTHER.sub('-', tool.lower())[:_LONGEST].strip('-')}"


def _service(home: ports.Home, name: str, choice: AgentServer, tool: str, pin: str) -> Service:
    known = _kept(home.cache, pin) or {}

    def call(value: Any, caller: Caller) -> Any:
        return _call(home.cache, name, choice, tool, pin, value, caller)

    return Service(
        name=_action(name, tool),
        call=call,
        input=known.get("inputSchema"),
        output=known.get("outputSchema"),
        title=str(known.get("title") or known.get("description") or f"{tool} of {name}")[:_MOST_WORDS],
        idempotent=bool((known.get("annotations") or {}).get("idempotentHint")),
        deadline_ms=choice.deadline_ms + _GRACE_MS,
        outside=True,
        definition=pin,
    )


def _call(cache: Path, name: str, choice: AgentServer, tool: str, pin: str, value: Any, caller: Caller) -> Any:
    if not isinstance(value, dict):
        raise InputInvalid(f"{_action(name, tool)} takes a JSON object")
    deadline_ms = choice.deadline_ms
    if caller.deadline_ms is not None:
        deadline_ms = min(deadline_ms, max(caller.deadline_ms // 2, caller.deadline_ms - _TELL_MS))

    async def work(session: ClientSession) -> types.CallToolResult:
        definition = (await _definitions(session)).get(tool)
        if definition is None or definition_digest(definition) != pin:
            what = "no longer offers" if definition is None else "describes differently from its pin"
            raise ToolDrifted(
                f"the server {name} {what} the tool {tool}", server=name, tool=tool, pinned=pin,
                found="" if definition is None else definition_digest(definition),
            )  # fmt: skip
        _keep(cache, pin, definition)
        faults = Validator(definition["inputSchema"]).faults(value)
        if faults:
            raise InputInvalid(f"the input does not fit {_action(name, tool)}: {faults[0]}")
        asked = types.CallToolRequest(params=types.CallToolRequestParams(name=tool, arguments=value))
        # Not the session's own call_tool: it checks results with patterns that may take for ever, and hold the process.
        result = await session.send_request(types.ClientRequest(asked), types.CallToolResult)
        _check_output(name, tool, definition.get("outputSchema"), result)
        return result

    return _output(_performed(name, choice, deadline_ms, work))


def _check_output(name: str, tool: str, schema: Any, result: types.CallToolResult) -> None:
    """Check what a tool answered, unless it failed, against the schema that it has for that.

    :raises OutputInvalid: if it does not fit
    """
    if schema is None or result.isError:
        return
    if result.structuredContent is None:
        raise OutputInvalid(f"{_action(name, tool)} answered without structured content")
    if faults := Validator(schema).faults(result.structuredContent):
        raise OutputInvalid(f"the output does not fit {_action(name, tool)}: {faults[0]}")


def _output(result: types.CallToolResult) -> Any:
    """Structured content as it is; else the blocks of content, as MCP writes them.

    :raises UnitRejected: if the tool says that it failed, with its words
    """
    if result.isError:
        words = " ".join(block.text for block in result.content if isinstance(block, types.TextContent))
        raise UnitRejected(words[:_MOST_WORDS] or "the tool failed and did not say why")
    if result.structuredContent is not None:
        return result.structuredContent
    return {"content": [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]}


def tools_now(root: Path, server: str) -> list[RemoteTool]:
    """The tools of a server that ``remit.toml`` names, asked now; their definitions are kept for the kernel's start.

    :raises AgentServerUnknown: if it names none so
    :raises AgentServerFailed: if it does not answer as the protocol wants
    """
    home = Home.open(root)
    choice = home.config.mcp.get(server)
    if choice is None:
        raise AgentServerUnknown(f"remit.toml has no [mcp.{server[:100]}]")
    found = _performed(server, choice, choice.deadline_ms, _definitions)
    return [_remote(home.cache, server, choice, tool) for _, tool in sorted(found.items())]


def _remote(cache: Path, server: str, choice: AgentServer, tool: Mapping[str, Any]) -> RemoteTool:
    name, digest = tool["name"], definition_digest(tool)
    _keep(cache, digest, tool)
    return RemoteTool(
        server=server,
        name=name,
        action=_action(server, name),
        digest=digest,
        pinned=choice.tools.get(name, ""),
        description=str(tool.get("description", ""))[:_MOST_WORDS],
        input=tool["inputSchema"],
    )


async def _definitions(session: ClientSession) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        found |= {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools}
        cursor = page.nextCursor
        if not cursor or len(found) > _MOST_TOOLS or not page.tools:
            return found


def _performed(name: str, choice: AgentServer, deadline_ms: int, work: Callable[[ClientSession], Awaitable[T]]) -> T:
    """Do something in a session of its own.

    :raises AgentServerFailed: if the server fails at it
    :raises DeadlineExceeded: if it takes too long
    """

    async def main() -> T:
        with anyio.fail_after(deadline_ms / 1_000):
            async with session_with(choice) as session:
                return await work(session)

    try:
        return anyio.run(main)
    except BaseException as error:
        raise _worded(name, deadline_ms, error) from error


def _worded(name: str, deadline_ms: int, error: BaseException) -> BaseException:
    """What is told of an error, of a group of them that of the first that says something."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, RemitError) or not isinstance(leaf, Exception):
            return leaf
    if any(isinstance(leaf, TimeoutError) for leaf in leaves):
        return DeadlineExceeded(f"the server {name} did not answer within {deadline_ms} ms")
    return AgentServerFailed(f"the server {name} failed: {type(leaves[0]).__name__}: {leaves[0]}"[:_MOST_WORDS])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


# ---- definitions that were seen, by their digest ----


def _place(cache: Path, digest: str) -> Path:
    return cache / "mcp" / f"{digest.removeprefix('sha256:')}.json"


def _keep(cache: Path, digest: str, definition: Mapping[str, Any]) -> None:
    place = _place(cache, digest)
    with suppress(OSError):  # what cannot be kept is asked for again
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.write_bytes(msgspec.json.encode(definition))


def _kept(cache: Path, digest: str) -> dict[str, Any] | None:
    """A definition that is what its digest says and can be used, if it is here."""
    try:
        found = msgspec.json.decode(_place(cache, digest).read_bytes(), type=dict[str, Any])
        if definition_digest(found) != digest:
            return None
        for name in ("inputSchema", "outputSchema"):
            if name in found:
                Validator(found[name])
    except (OSError, msgspec.DecodeError, RemitError):
        return None
    return found
