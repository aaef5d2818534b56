"""What ``remit serve`` offers of ours: agents and scrapers under the service's own tokens."""

from __future__ import annotations

import asyncio

import httpx

from remit.host import Kernel
from tests.plugins.http.conftest import OWNER, serving
from tests.plugins.mcp.conftest import INITIALIZE, over_http


def test_an_agent_and_a_scraper_are_served_with_a_token_and_not_without(active_home):
    async def main(url):
        async with over_http(f"{url}/mcp", OWNER) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("acme__echo__echo", {"text": "x"})
        return listed, result

    with Kernel.open(active_home, program="tests") as kernel, serving(kernel, active_home) as service:
        listed, result = asyncio.run(main(service.url))
        text = httpx.get(f"{service.url}/metrics", headers={"authorization": f"Bearer {OWNER}"}).text
        head = {"accept": "application/json, text/event-stream"}
        strangers = [
            httpx.get(f"{service.url}/metrics"),
            httpx.post(f"{service.url}/mcp", json=INITIALIZE, headers=head),
            httpx.post(f"{service.url}/mcp", json=INITIALIZE, headers=head | {"authorization": "Bearer no"}),
        ]
        broken = httpx.post(f"{service.url}/mcp", content=b"[" * 100_000, headers={"authorization": f"Bearer {OWNER}"})
    assert "acme__echo__echo" in listed
    assert result.structuredContent == {"text": "x"}
    assert 'remit_calls_total{action="acme/echo:echo",outcome="completed"} 1.0' in text
    assert {answer.status_code for answer in strangers} == {401}
    assert {answer.json()["code"] for answer in strangers} == {"RM-8004"}
    assert broken.status_code == 400
    assert broken.headers["content-type"] == "application/problem+json"
