"""Serves our server with the suite's fixtures: the daemon's application on uvicorn, as one worker of `rulebound serve` has it.

`python serve.py`: prints its address. Settings come from the environment, as everywhere.
"""

import asyncio
import socket

import fixtures
import uvicorn

from mcp_server.catalog import Catalog
from mcp_server.server import server
from mcp_server.tools import may_ask
from mcp_server.web.app import create
from mcp_server.web.site import Site
from rulebound.app import between_turns, open_app
from rulebound.settings import Settings


async def main() -> None:
    settings = Settings.from_environment()
    listening = socket.create_server(("127.0.0.1", 0))
    async with open_app(settings) as app, between_turns(app) as background:
        catalog = Catalog(app)
        mcp = server(app, catalog, long=fixtures.TASKS, patience=fixtures.LONG / 2)
        fixtures.add(mcp)
        site = Site(trust_loopback=True)
        asks = lambda tool, given: may_ask(tool, given) or fixtures.asks(tool)  # noqa: E731
        web = create(app, mcp, catalog, site, background, asks=asks)
        http = uvicorn.Server(uvicorn.Config(web, loop="uvloop", http="httptools", lifespan="on", log_level="error"))
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
        await http.serve([listening])


asyncio.run(main())
