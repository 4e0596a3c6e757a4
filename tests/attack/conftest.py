"""One server on loopback over real stores, in a thread of its own: principals with real keys, a private knowledge base, games."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Awaitable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import uvicorn

from agents.access import LOCAL, PUBLIC, Principal
from kb.pages.repository import Repository
from mcp_server.catalog import Catalog
from mcp_server.server import server
from mcp_server.web import limits
from mcp_server.web.app import create
from mcp_server.web.site import Site as Reached
from rulebound.app import App, open_app
from rulebound.settings import Settings
from storage.embedded import Servers

CANARY = "Xanthippe-7731"
"""A word of what nobody but its owner may read."""
HIDDEN = f"---\nitem: {CANARY.lower()}\nin: foyer\n---\n# {CANARY}\nThe word is {CANARY}.\n"
MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
ROLES = ("player", "designer", "gm", "admin", "owner")
T = TypeVar("T")


@dataclass
class Site:
    """What is served, and who may ask."""

    url: str
    app: App
    catalog: Catalog
    loop: asyncio.AbstractEventLoop
    http: httpx2.Client
    keys: dict[str, str] = field(default_factory=dict[str, str])
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def do(self, work: Awaitable[T]) -> T:
        """What comes of work in the server's loop."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(_awaited(work), self.loop)
        return done.result(60)

    def who(self, caller: str) -> Principal:
        return PUBLIC if caller == "public" else Principal.of(self.ids[caller], caller.rpartition("-")[2])  # type: ignore[arg-type]

    def headers(self, caller: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[caller]}"} if caller in self.keys else {}

    def post(self, caller: str, method: str, params: Mapping[str, Any], **more: str) -> httpx2.Response:
        """A request of the protocol of 2026-07-28."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": MODERN}}
        headers = {
            "content-type": "application/json", "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28", "mcp-method": method,
            **({"mcp-name": params[key]} if (key := {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(method)) else {}),
            **self.headers(caller), **more,
        }  # fmt: skip
        name = headers.get("mcp-name")
        if name is not None and not name.isascii():
            headers["mcp-name"] = httpx2.URL(name).raw_path.decode() if "://" not in name else str(httpx2.URL(name))
        return self.http.post(f"{self.url}/mcp", content=json.dumps(message), headers=headers)

    def ask(self, caller: str, method: str, **params: Any) -> dict[str, Any]:
        """The message that answers, whether it is a result or an error."""
        answer = self.post(caller, method, params)
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return json.loads(answer.text.split("data: ")[-1].strip())
        return answer.json()

    def call(self, caller: str, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.ask(caller, "tools/call", name=tool, arguments=arguments)

    def state(self) -> dict[str, Any]:
        """Digests of what a tool could change: every branch of every knowledge base, who plays, keys, roles and shares."""
        service = self.catalog.service
        refs = sorted(
            (name, Repository(Path(space.location)).branches(""))
            for name, space in self.do(service._doors.all()).items()  # pyright: ignore[reportPrivateUsage]
            if space.location.endswith(".git")
        )
        names = ("seats", "api_keys", "roles", "namespaces", "shares")
        asked = ", ".join(
            f"(SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {name} t)" for name in names
        )
        asked = asked.replace("t::text", "(to_jsonb(t) - $$used$$)::text")
        rows = self.do(self.app.store.connections.row(f"SELECT {asked}"))  # type: ignore[attr-defined]
        return {"refs": refs, **dict(zip(names, rows, strict=True))}


async def _awaited(work: Awaitable[T]) -> T:
    return await work


@pytest.fixture(scope="module")
def site(servers: Servers, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with somebody of each role, `secrets` (private, of the designer `other-designer`), and `tales`, which all read."""
    home = tmp_path_factory.mktemp("home")
    ready, loop, ends = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with open_app(Settings(home, database_url=database, redis_url=servers.redis_url)) as app:
            catalog = Catalog(app)
            config = uvicorn.Config(
                create(app, server(app, catalog), catalog, Reached(workers=(str(home / "0.sock"), str(home / "1.sock")))), log_config=None, access_log=False,
                proxy_headers=False, http="httptools", ws="websockets-sansio",
            )  # fmt: skip
            http = uvicorn.Server(config)
            http.capture_signals = nullcontext  # type: ignore[method-assign]
            with socket.create_server(("127.0.0.1", 0)) as listener:
                found[:] = [app, catalog, f"http://127.0.0.1:{listener.getsockname()[1]}"]
                task = asyncio.create_task(http.serve([listener]))
                while not http.started:
                    await asyncio.sleep(0.01)
                ready.set()
                await ends.wait()
                http.should_exit = True
                await task

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    figures: Any = limits.FIGURES
    before = dict(figures)
    figures.update(dict.fromkeys(before, limits.Figure(1e6, 1e6)))  # limits are not what is tried here
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # the server and its clients are threads of one process
    thread.start()
    assert ready.wait(60)
    app, catalog, url = found
    try:
        with httpx2.Client(trust_env=False, timeout=30) as http:
            site = Site(url, app, catalog, loop, http)
            _settle(site)
            yield site
    finally:
        figures.update(before)
        loop.call_soon_threadsafe(ends.set)
        thread.join(30)
        loop.close()
        sys.setswitchinterval(interval)


def _settle(site: Site) -> None:
    granting, service = site.app.access.granting, site.catalog.service  # type: ignore[union-attr]
    for caller in (*ROLES, "other-designer", "other-player"):
        role: Any = caller.rpartition("-")[2]
        key, text = site.do(granting.create_key(LOCAL, caller, roles=[role], scopes=sorted(LOCAL.scopes)))
        site.keys[caller], site.ids[caller] = text, key.principal
    site.do(service.create(LOCAL, "secrets", owner=site.ids["other-designer"], like="cloak"))
    site.do(service.create(LOCAL, "tales", visibility="shared", like="cloak"))
    owner = replace(LOCAL, id=site.ids["other-designer"])
    site.do(service.write(owner, "secrets", f"{CANARY.lower()}.md", HIDDEN))
    site.do(
        service.write(
            owner, "secrets", f"{CANARY.lower()}-draft.md", HIDDEN.replace("item: ", "item: d-"), branch="plan"
        )
    )
    site.do(
        service.write(replace(owner, scopes=owner.scopes - {"kb:publish"}), "tales", f"{CANARY.lower()}.md", HIDDEN)
    )
