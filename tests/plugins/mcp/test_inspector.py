"""A client that is nobody's we know: npm's MCP Inspector (``npm install --global @modelcontextprotocol/inspector``)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

START = "import sys; from remit.cli import main; sys.argv[0] = 'remit'; main()"


@pytest.fixture
def inspect(program, active_home):
    """Has the inspector ask a home that it starts itself; gives its answer."""

    def ask(method, *words):
        started = [sys.executable, "-c", START, "mcp", "serve", "--home", str(active_home)]
        command = [program("mcp-inspector"), "--cli", *started, "--method", method, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_the_inspector_lists_and_calls_tools(inspect):
    assert "acme__echo__echo" in {tool["name"] for tool in inspect("tools/list")["tools"]}
    answer = inspect("tools/call", "--tool-name", "acme__echo__echo", "--tool-arg", "text=hello")
    assert answer["structuredContent"] == {"text": "hello"}
    refused = inspect("tools/call", "--tool-name", "acme__none__x")
    assert (refused["isError"], refused["_meta"]["remit/error"]["code"]) == (True, "RM-7001")
    assert inspect("prompts/list")["prompts"] == []
    assert "remit://state/health" in {one["uri"] for one in inspect("resources/list")["resources"]}
