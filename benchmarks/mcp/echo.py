"""Owns the floor: a bare server of the SDK with one tool that says what it is told. `python -m benchmarks.mcp.echo [PORT]`."""

from __future__ import annotations

import sys

import uvicorn
from mcp.server import MCPServer

mcp = MCPServer("echo", log_level="ERROR")


@mcp.tool()
def echo(text: str) -> str:
    """Says what it is told."""
    return text


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app = mcp.streamable_http_app(json_response=True, stateless_http=True)
        uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", log_config=None, access_log=False)
    else:
        mcp.run("stdio")
