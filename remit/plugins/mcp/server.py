"""The server: MCP's requests as operations of the façade, each on behalf of whoever sent it. Decides nothing itself."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from anyio.to_thread import run_sync
from mcp import types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.shared.context import RequestContext
from mcp.shared.exceptions import McpError

from remit.errors import RemitError, RequestInvalid
from remit.host import Caller, Facade
from remit.plugins.mcp import resources
from remit.plugins.mcp.changes import Lists
from remit.plugins.mcp.definitions import DIGEST, action_of, prompts_of, tools_of
from remit.schemas.release import VERSION

__all__ = ["ERROR", "ToolServer"]

ERROR = "remit/error"
"""In the ``_meta`` of a tool's error, and the data of any other: code, message, remedy, details."""
_PAGE = 500
_BEAT_S = 1.0
_DRAIN_S = 10.0
_TURN_S = 0.1
_SDK = str(Path(types.__file__).parent)
_THREADS = 16
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_log = logging.getLogger(__name__)
Q = TypeVar("Q")
R = TypeVar("R")


class ToolServer(Server[object, Any]):
    """An MCP server of one home, for any number of sessions of one event loop."""

    def __init__(self, facade: Facade, caller: Caller) -> None:
        """:param caller: who speaks where the transport does not say it of each request (``request.state.caller``)"""
        super().__init__(
            "remit",
            VERSION,
            instructions="Actions of the units that are active in a Remit home. Policy decides each call; an error's "
            "text says what was refused and the one thing that would help.",
        )
        _hush()
        self.lists = Lists(facade)
        self._facade = facade
        self._caller = caller
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.request_handlers |= {
            types.ListToolsRequest: _answered(self._list_tools),
            types.CallToolRequest: _answered(self._call_tool),
            types.ListPromptsRequest: _answered(self._list_prompts),
            types.GetPromptRequest: _answered(self._get_prompt),
            types.ListResourcesRequest: _answered(self._list_resources),
            types.ListResourceTemplatesRequest: _answered(self._list_templates),
            types.ReadResourceRequest: _answered(self._read_resource),
        }

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What the server says of itself: its lists of tools and prompts may change."""
        del notification_options
        changing = NotificationOptions(tools_changed=True, prompts_changed=True)
        return super().create_initialization_options(changing, experimental_capabilities)

    def _speaker(self) -> Caller:
        request = self.request_context.request
        return self._caller if request is None else msgspec.convert(request.state.caller, Caller)

    async def _run(self, work: Callable[[], R]) -> R:
        return await run_sync(work, limiter=self._threads)

    async def drained(self) -> None:
        """Wait until no call runs, for as long as whoever hung up is worth waiting for."""
        with anyio.move_on_after(_DRAIN_S):
            await anyio.sleep(_TURN_S)  # what was read is on its way
            await self._idle.wait()

    # ---- tools ----

    async def _list_tools(self, request: types.ListToolsRequest) -> types.ListToolsResult:
        caller = self._speaker()
        actions = await self._run(lambda: self._facade.actions(caller=caller))
        self.lists.told(self.request_context.session, caller, "tools", actions)
        start = _cursor(request.params)
        following = str(start + _PAGE) if len(actions) > start + _PAGE else None
        return types.ListToolsResult(tools=tools_of(actions[start : start + _PAGE]), nextCursor=following)

    async def _call_tool(self, request: types.CallToolRequest) -> types.CallToolResult:
        self._calls += 1
        self._idle.clear()
        beat = asyncio.create_task(_beat(self.request_context, request.params.name[:200]))
        try:
            action = action_of(request.params.name)
            caller = _marked(self._speaker(), self.request_context.meta)
            text = msgspec.json.encode(request.params.arguments or {}).decode()
            outcome = await self._facade.acall_text(action, text, caller=caller)
        except RemitError as error:
            return _failed(error)
        finally:
            beat.cancel()
            self._calls -= 1
            if not self._calls:
                self._idle.set()
        return _succeeded(outcome.output)

    # ---- prompts ----

    async def _list_prompts(self, request: types.ListPromptsRequest) -> types.ListPromptsResult:
        caller, start = self._speaker(), _cursor(request.params)
        found = await self._run(lambda: self._facade.prompts(caller=caller))
        self.lists.told(self.request_context.session, caller, "prompts", found)
        following = str(start + _PAGE) if len(found) > start + _PAGE else None
        return types.ListPromptsResult(prompts=prompts_of(found[start : start + _PAGE]), nextCursor=following)

    async def _get_prompt(self, request: types.GetPromptRequest) -> types.GetPromptResult:
        caller, name = self._speaker(), action_of(request.params.name)
        found = await self._run(lambda: self._facade.prompt(name, request.params.arguments, caller=caller))
        words = types.TextContent(type="text", text=found.text)
        return types.GetPromptResult.model_validate(
            {
                "description": found.prompt.description or None,
                "messages": [types.PromptMessage(role="user", content=words)],
                "_meta": {DIGEST: found.prompt.digest},
            }
        )

    # ---- resources ----

    async def _list_resources(self, request: types.ListResourcesRequest) -> types.ListResourcesResult:
        caller, start = self._speaker(), _cursor(request.params)
        found = await self._run(lambda: resources.listed(self._facade, caller))
        following = str(start + _PAGE) if len(found) > start + _PAGE else None
        return types.ListResourcesResult(resources=found[start : start + _PAGE], nextCursor=following)

    async def _list_templates(self, _request: types.ListResourceTemplatesRequest) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resourceTemplates=list(resources.TEMPLATES))

    async def _read_resource(self, request: types.ReadResourceRequest) -> types.ReadResourceResult:
        caller, uri = self._speaker(), request.params.uri
        text = await self._run(lambda: resources.read(self._facade, str(uri), caller))
        contents = types.TextResourceContents(uri=uri, mimeType="application/json", text=text)
        return types.ReadResourceResult(contents=[contents])


def _hush() -> None:
    """Keep what clients do out of the log: the SDK tells of each that hangs up or errs, with all that it sent.

    It does so on the root logger as well. What fails in our own handlers we log ourselves.
    """
    logging.getLogger("mcp.server").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_not_the_sdks)


def _not_the_sdks(record: logging.LogRecord) -> bool:
    return not record.pathname.startswith(_SDK)


def _answered(
    handler: Callable[[Q], Awaitable[Any]],
) -> Callable[[Q], Awaitable[types.ServerResult]]:
    """What goes wrong is a JSON-RPC error with our code as its data; a fault of ours says its kind and no more."""

    async def answer(request: Q) -> types.ServerResult:
        try:
            return types.ServerResult(await handler(request))
        except RemitError as error:
            data = types.ErrorData(code=types.INVALID_PARAMS, message=str(error), data={ERROR: _plain(error)})
            raise McpError(data) from error
        except McpError:
            raise
        except Exception as error:
            _log.exception("a request failed: %s", type(request).__name__)
            words = f"the server failed: {type(error).__name__}"
            raise McpError(types.ErrorData(code=types.INTERNAL_ERROR, message=words)) from error

    return answer


async def _beat(context: RequestContext[ServerSession, object, Any], action: str) -> None:
    """While a call runs, say so once a second, to a client that asked for progress: the seconds are the progress."""
    token = context.meta.progressToken if context.meta else None
    if token is None:
        return
    now = asyncio.get_running_loop().time
    began = now()
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the client is gone
        while True:
            await context.session.send_progress_notification(
                token, now() - began, message=f"{action} is running", related_request_id=str(context.request_id)
            )
            await anyio.sleep(_BEAT_S)


def _marked(caller: Caller, meta: types.RequestParams.Meta | None) -> Caller:
    """The caller with the idempotency key and the trace that the request's ``_meta`` carries."""
    said = (meta.model_extra if meta else None) or {}
    key = said.get("remit/idempotency-key", "")
    if key and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise RequestInvalid("the idempotency key is not well formed", remedy="use up to 200 visible ASCII characters")
    trace = said.get("traceparent", "")
    fits = isinstance(trace, str) and _TRACEPARENT.fullmatch(trace)
    return msgspec.structs.replace(
        caller,
        idempotency_key=key or caller.idempotency_key,
        traceparent=trace if fits else caller.traceparent,
    )


def _cursor(params: types.PaginatedRequestParams | None) -> int:
    given = params.cursor if params else None
    if given is None:
        return 0
    if not (given.isascii() and given.isdigit() and len(given) < 10):  # noqa: PLR2004 - digits of a place in a list
        raise RequestInvalid("the cursor is none of ours", remedy="list from the beginning")
    return int(given)


def _succeeded(output: Any) -> types.CallToolResult:
    text = types.TextContent(type="text", text=msgspec.json.encode(output).decode())
    structured = output if isinstance(output, dict) else None
    return types.CallToolResult(content=[text], structuredContent=structured)


def _failed(error: RemitError) -> types.CallToolResult:
    words = types.TextContent(type="text", text=f"error{error}")
    return types.CallToolResult.model_validate({"content": [words], "isError": True, "_meta": {ERROR: _plain(error)}})


def _plain(error: RemitError) -> Any:
    return msgspec.to_builtins(error.as_dict(), enc_hook=str)
