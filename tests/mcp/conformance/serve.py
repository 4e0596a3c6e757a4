import contextlib
import sys
from pathlib import Path

import fixtures
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Route

from agents.access import LOCAL
from mcp_server.server import server
from mcp_server.tools.served import Served
from mcp_server.web.transport import Transport
from rulebound.app import build
from rulebound.settings import Settings

app = build(Settings(Path("/tmp/surface-home")))
mcp = server(app, Served.of(()))
fixtures.add(mcp)
sec = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=["127.0.0.1:*", "localhost:*"],
    allowed_origins=["http://127.0.0.1:*", "http://localhost:*"],
)
m = Transport(mcp, asks=fixtures.asks, security=sec)


class A:
    async def __call__(self, scope, receive, send):
        scope["rulebound.principal"] = LOCAL
        await m(scope, receive, send)


@contextlib.asynccontextmanager
async def life(_):
    async with m.run():
        yield


uvicorn.run(
    Starlette(routes=[Route("/mcp", A())], lifespan=life),
    port=int(sys.argv[1]),
    log_level="warning",
    loop="uvloop",
    http="httptools",
)
