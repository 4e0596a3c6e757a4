"""The load for `benchmarks.live`, in a process of its own: players that each send a command every few seconds, and requests.

What it found is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.processes import Watch

LINES = ("w", "x hook", "i", "e", "look")
WALK = ("w", "look", "e", "i")
SETTLE = 2.0
"""Seconds in which everybody hears who came."""
CONNECTIONS = 50
"""Connections for requests, kept alive."""


@dataclass
class Found:
    """Latencies in seconds, and what went wrong."""

    paced: list[float] = field(default_factory=list[float])
    burst: list[float] = field(default_factory=list[float])
    http: list[float] = field(default_factory=list[float])
    events: int = 0
    processors: list[float] = field(default_factory=list[float])
    """Seconds of processors for the paced commands and the requests, by process."""
    others: float = 0.0
    """How many processors others on the machine used meanwhile."""
    errors: dict[str, int] = field(default_factory=dict[str, int])
    """How many, by the code of the error or the status of the response."""
    lost: int = 0
    """Commands that were never answered, or connections that broke."""

    def error(self, code: str) -> None:
        self.errors[code] = self.errors.get(code, 0) + 1


class Player:
    """One connection."""

    def __init__(self, socket: ClientConnection, found: Found, lines: Sequence[str]):
        self.socket, self._found, self._lines = socket, found, lines
        self._number = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for text in self.socket:
            told = json.loads(text)
            waiting = self._waiting.pop(told.get("id", 0), None)
            if waiting is None:
                self._found.events += 1
            else:
                if told["type"] == "error":
                    self._found.error(told["code"])
                waiting.set_result(None)

    async def ask(self, **message: object) -> float:
        """Seconds until the answer."""
        self._number += 1
        done = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        begin = time.perf_counter()
        await self.socket.send(json.dumps({"id": self._number, **message}))
        try:
            await asyncio.wait_for(done, 30)
        except TimeoutError:
            self._found.lost += 1
        return time.perf_counter() - begin

    async def command(self) -> float:
        return await self.ask(type="command", command=self._lines[self._number % len(self._lines)])


async def joined(addresses: Sequence[str], count: int, shared: int, found: Found) -> list[Player]:
    """So many players, some of them in a shared world."""
    gate = asyncio.Semaphore(50)

    async def enter(number: int) -> Player:
        url, headers = f"ws://{addresses[number % len(addresses)]}/ws", {"x-who": f"player-{number}"}
        world, lines = ("commons", WALK) if number < shared else ("cloak", LINES)
        async with gate:
            socket = await connect(url, additional_headers=headers, compression=None, open_timeout=60)
            player = Player(socket, found, lines)
            await player.ask(type="start", world=world, player=f"Player {number}")
            return player

    return await asyncio.gather(*map(enter, range(count)))


async def paced(there: Sequence[Player], every: float, seconds: float, found: Found) -> None:
    """A command of each player every few seconds, spread evenly."""
    end = time.perf_counter() + seconds

    async def one(number: int, player: Player) -> None:
        await asyncio.sleep(every * number / len(there))
        while time.perf_counter() < end:
            spent = await player.command()
            found.paced.append(spent)
            await asyncio.sleep(max(0.0, every - spent))

    await asyncio.gather(*(one(number, each) for number, each in enumerate(there)))


async def requests(addresses: Sequence[str], rate: float, seconds: float, found: Found) -> None:
    """So many requests a second, whether or not the ones before are answered."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for number in range(CONNECTIONS):
        host, _, port = addresses[number % len(addresses)].partition(":")
        free.put_nowait(await asyncio.open_connection(host, int(port)))

    async def one() -> None:
        begin = time.perf_counter()
        reader, writer = link = await free.get()
        writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-who: player\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        free.put_nowait(link)
        found.http.append(time.perf_counter() - begin)
        if (status := head[9:12].decode()) != "200":
            found.error(status)

    begin = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)


async def load(asked: dict[str, Any]) -> Found:
    """Paced commands with requests at the same time, then a command of everybody at once."""
    found, addresses, seconds = Found(), asked["addresses"], asked["seconds"]
    there = await joined(addresses, asked["players"], asked["shared"], found)
    await asyncio.sleep(SETTLE)
    watches = [Watch(pid) for pid in asked["pids"]]
    await asyncio.gather(
        paced(there, asked["every"], seconds, found), requests(addresses, asked["rate"], seconds, found)
    )
    spent = [each.spent() for each in watches]
    found.processors = [each.server for each in spent]
    found.others = (spent[0].others + spent[0].server - sum(found.processors)) / spent[0].wall
    found.burst += await asyncio.gather(*(each.command() for each in there))
    found.lost += sum(each.listening.done() for each in there)
    for each in there:
        each.listening.cancel()
        each.socket.transport.abort()
    return found


def main(asked: str) -> None:
    """Prints what was found. `asked` is JSON."""
    given = json.loads(asked)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(load(given)))))


if __name__ == "__main__":
    main(sys.argv[1])
