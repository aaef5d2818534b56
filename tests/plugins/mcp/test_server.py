"""The official SDK's client with a home: tools, errors, resources, changes, cancelling, over both transports."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from mcp import McpError, types
from pydantic import AnyUrl

from remit.errors import CallCancelled
from remit.host import Kernel
from remit.plugins.mcp import remit_http_routes
from remit.plugins.mcp.definitions import DIGEST, UNIT, definition_digest
from remit.plugins.mcp.server import ERROR
from tests.plugins.mcp.conftest import INITIALIZE, listening, over_http, over_stdio


@pytest.fixture(params=["http", "stdio"])
def session(request):
    """Opens a session with the home, over each of the transports."""

    @asynccontextmanager
    async def opened(**options):
        if request.param == "http":
            async with over_http(request.getfixturevalue("url"), **options) as found:
                yield found
        else:
            async with over_stdio(request.getfixturevalue("active_home"), **options) as found:
                yield found

    if request.param == "http":
        request.getfixturevalue("url")
    return opened


def test_tools_are_the_actions_with_schemas_and_a_digest_of_all_that_a_model_is_told(session):
    async def main():
        async with session() as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(main())}
    assert "acme__echo__echo" in tools
    for tool in tools.values():
        described = tool.model_dump(by_alias=True, exclude_none=True)
        assert tool.inputSchema["type"] == "object"
        assert described["_meta"][DIGEST] == definition_digest(described)
        assert described["_meta"][UNIT].startswith("acme/")


def test_a_call_gives_text_and_structure_and_is_journalled_like_any_other(session):
    async def main():
        async with session() as client:
            first = await client.call_tool("acme__echo__echo", {"text": "hällo"})
            page = await client.read_resource(AnyUrl("remit://state/actions"))
            return first, json.loads(page.contents[0].text)

    result, uses = asyncio.run(main())
    assert not result.isError
    assert result.structuredContent == {"text": "hällo"}
    assert json.loads(result.content[0].text) == {"text": "hällo"}
    assert [use["completed"] for use in uses if use["action"] == "acme/echo:echo"] == [1]


@pytest.mark.parametrize("name", ["acme__none__none", "x", "", "acme__echo__", "a/b:c", "acme__echo__echo@^1", "\x00"])
def test_what_is_no_tool_is_a_tool_error_with_our_code(url, name):
    async def main():
        async with over_http(url) as client:
            return await client.call_tool(name, {})

    result = asyncio.run(main())
    assert result.isError
    assert result.content[0].text.startswith("error[RM-")
    assert result.meta[ERROR]["code"].startswith("RM-")
    assert "Traceback" not in result.content[0].text


def test_an_operator_sees_and_calls_only_what_policy_says(url):
    async def main():
        async with over_http(url, "stranger") as client:
            tools = (await client.list_tools()).tools
            refused = await client.call_tool("acme__echo__echo", {})
            listed = (await client.list_resources()).resources
            with pytest.raises(McpError) as caught:
                await client.read_resource(AnyUrl("remit://state/actions"))
            return tools, refused, listed, caught.value

    tools, refused, listed, error = asyncio.run(main())
    assert tools == []
    assert listed == []
    assert refused.isError
    assert error.error.data[ERROR]["code"].startswith("RM-4")


def test_an_operator_that_is_named_on_the_command_line_is_the_one_that_speaks(active_home):
    async def main():
        async with over_stdio(active_home, "--operator", "stranger") as client:
            return (await client.list_tools()).tools

    assert asyncio.run(main()) == []


def test_the_same_key_gives_the_same_outcome(url, kernel):
    async def main():
        async with over_http(url) as client:
            meta = {"remit/idempotency-key": "k1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
            return [await client.call_tool("acme__echo__echo", {"n": 1}, meta=meta) for _ in range(2)]

    assert all(not one.isError for one in asyncio.run(main()))
    [record] = kernel.events(prefixes=["action."])
    assert record["event"]["traceparent"].startswith(f"00-{'a' * 32}")


def test_resources_are_read_models_documents_and_traces(url, kernel):
    kernel.call("acme/echo:echo", {"a": 1})

    async def main():
        async with over_http(url) as client:
            listed = {str(one.uri) for one in (await client.list_resources()).resources}
            templates = {one.uriTemplate for one in (await client.list_resource_templates()).resourceTemplates}
            early = await client.read_resource(AnyUrl("remit://state/generations?at=1"))
            trace = await client.read_resource(AnyUrl("remit://trace/last"))
            return listed, templates, early.contents[0].text, trace.contents[0].text

    listed, templates, early, trace = asyncio.run(main())
    assert {"remit://state/actions", "remit://state/episodes"} <= listed
    assert "remit://state/{model}{?at}" in templates
    assert json.loads(early) == kernel.state("generations", at=1)
    assert json.loads(trace)["spans"][0]["name"] == "acme/echo:echo"


@pytest.mark.parametrize(
    "uri",
    [
        "remit://state/none", "remit://state/actions?at=x", "remit://state/actions?at=99999999", "remit://elsewhere/x",
        "file:///etc/passwd", "remit://state/", "remit://state/..%2f..%2fetc", "remit://document/none",
        "remit://trace/none", "remit://state/actions?" + "&".join(f"a{number}=1" for number in range(9)),
    ],
)  # fmt: skip
def test_a_resource_that_is_not_there_is_an_error_with_our_code(url, uri):
    async def main():
        async with over_http(url) as client:
            with pytest.raises(McpError) as caught:
                await client.read_resource(AnyUrl(uri))
            return caught.value.error

    error = asyncio.run(main())
    assert error.data[ERROR]["code"].startswith("RM-")
    assert "Traceback" not in error.message


def test_an_apply_that_changes_the_tools_is_told_to_whoever_listed_them(kernel, session):
    async def main():
        told = asyncio.Event()

        async def hear(message):
            if isinstance(message, types.ServerNotification) and isinstance(
                message.root, types.ToolListChangedNotification
            ):
                told.set()

        async with session(message_handler=hear) as client:
            before = {tool.name for tool in (await client.list_tools()).tools}
            await asyncio.to_thread(kernel.emit, "ticket.created")
            await asyncio.sleep(0.2)
            early = told.is_set()
            plan = await asyncio.to_thread(lambda: kernel.plan(remove=["acme/echo"]))
            await asyncio.to_thread(lambda: kernel.apply(plan, consent=True))
            await asyncio.wait_for(told.wait(), 20)
            return early, before, {tool.name for tool in (await client.list_tools()).tools}

    early, before, after = asyncio.run(main())
    assert not early
    assert before - after == {"acme__echo__echo"}


def test_a_cancelled_call_stops_its_guest_and_a_running_one_tells_progress(patient):
    async def main(url):
        beats = asyncio.Queue()

        async def beat(progress, _total, _message):
            await beats.put(progress)

        async with over_http(url) as client:
            running = asyncio.create_task(client.call_tool("acme__loop__spin", {}, progress_callback=beat))
            first, second = await beats.get(), await beats.get()
            await client.send_notification(
                types.ClientNotification(
                    types.CancelledNotification(params=types.CancelledNotificationParams(requestId=1))
                )
            )
            with pytest.raises(McpError, match="cancelled"):
                await running
            return first, second

    with listening(remit_http_routes(patient)) as base:
        first, second = asyncio.run(main(f"{base}/mcp"))
    assert 0 <= first < second
    while not (found := patient.events(prefixes=["action."])):
        patient.events(patient.home().head, wait_ms=1_000)
    assert [one["event"]["data"]["code"] for one in found] == [CallCancelled.code]


def test_a_session_of_one_operator_is_not_anothers(url):
    heads = {"accept": "application/json, text/event-stream"}
    with httpx.Client(headers=heads, timeout=20) as http:
        opened = http.post(url, json=INITIALIZE, headers={"authorization": "Bearer local"})
        again = {"mcp-session-id": opened.headers["mcp-session-id"]}
        listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        mine = http.post(url, json=listing, headers=again | {"authorization": "Bearer local"})
        other = http.post(url, json=listing, headers=again | {"authorization": "Bearer stranger"})
    assert (mine.status_code, other.status_code) == (200, 404)


def test_the_server_over_stdio_is_a_client_of_a_kernel_that_lives(active_home):
    async def main(kernel):
        async with over_stdio(active_home) as client:
            result = await client.call_tool("acme__echo__echo", {"text": "x"})
            return result.structuredContent, kernel.events(prefixes=["action."])

    with Kernel.open(active_home, program="tests") as kernel:
        output, records = asyncio.run(main(kernel))
    assert output == {"text": "x"}
    assert len(records) == 1
