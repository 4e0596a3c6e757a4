"""A world in which every message between workers, Redis and PostgreSQL takes as long as a schedule says.

The workers run the real `HotCopies`; the scripts run in a real Valkey, a database of it for each server of the world, with
the world's clock in place of the server's. `World(seed).run(steps)` takes random steps and notes every stale read.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from storage.redis import Change, Copy, FenceState, HotCopies, MemoryFence, RedisAway, RedisClient, Script, Times
from storage.redis.link import Arg, UnknownScript
from storage.redis.pubsub import OnMessage
from storage.redis.scripts import ABORT, BEGIN, CLOCK, FILL, PUBLISH, READ
from storage.store import StoreError

TIMES = Times(fresh=1.0, lease=1.0, mark=5.0, hush=12.0)
SCRIPTS = {script.sha: script for script in (ABORT, BEGIN, FILL, PUBLISH, READ)}
_FRAME = """
local published = {}
local function publish(channel, message) published[#published + 1] = {channel, message} end
local now = tonumber(KEYS[5])
local function main()
%s
end
local reply = main()
return {reply, published}
"""


class Lost(StoreError):
    """PostgreSQL's answer was lost."""


def in_world(script: Script) -> str:
    """The script with the world's clock, and with its messages handed to the world."""
    return _FRAME % script.body.replace(CLOCK, "").replace("redis.call('PUBLISH', ", "publish(")


@dataclass(eq=False)
class Server:
    """A Redis process: a database of the real one."""

    run: str
    redis: Redis
    scripts: dict[str, Script]
    alive: bool = True
    runners: dict[str, Any] = field(default_factory=dict[str, Any])

    def execute(self, args: Sequence[Arg], now: float) -> tuple[Any, list[list[bytes]]]:
        """The reply, and the messages that were published."""
        if args[0] == "PUBLISH":
            return 1, [[str(args[1]).encode(), str(args[2]).encode()]]
        sha, keys = str(args[1]), [*args[3 : 3 + int(args[2])], int(now * 1000)]
        if sha not in self.runners:
            self.runners[sha] = self.redis.register_script(in_world(self.scripts[sha]))
        reply, published = self.runners[sha](keys=keys, args=args[3 + int(args[2]) :])
        return reply, published


@dataclass(eq=False)
class Wire:
    """A connection of a worker to a server: commands on their way there, answers on their way back."""

    server: Server
    commands: deque[tuple[Sequence[Arg], asyncio.Future[Any]]] = field(default_factory=deque[Any])
    answers: deque[tuple[asyncio.Future[Any], Any]] = field(default_factory=deque[Any])


class Client(RedisClient):
    """The real client's logic above a wire of the world."""

    def __init__(self, world: World):
        super().__init__("unix://world")
        self.world = world
        self.wire: Wire | None = None

    @property
    def run_id(self) -> str:
        return "" if self.wire is None else self.wire.server.run

    def send(self, *args: Arg) -> asyncio.Future[Any]:
        if self.wire is None:
            raise RedisAway("cut off")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if args[0] == "EVAL":
            args = ("EVALSHA", Script.of(str(args[1])).sha, *args[2:])
        elif args[0] == "EVALSHA" and self.world.rng.random() < 0.02:
            args = ("FORGOTTEN",)
        self.wire.commands.append((args, future))
        return future


class Messages:
    """What `PubSub` gives to a worker."""

    def __init__(self) -> None:
        self.on_message: OnMessage = lambda _: None
        self.waiting: deque[bytes | None] = deque()
        self.open = False

    def listening(self, channel: str) -> bool:
        return self.open

    async def listen(self, channel: str, on_message: OnMessage) -> bool:
        self.on_message = on_message
        return self.open

    async def forget(self, channel: str, on_message: OnMessage) -> None:
        self.on_message = lambda _: None


@dataclass(eq=False)
class Question:
    """Something that PostgreSQL is asked: it happens at one step, the answer arrives at another, or never."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]
    commits: bool = False
    done: bool = False
    answer: Any = None


class Worker:
    """One process. Its tasks end when it is killed; what it sent goes on."""

    def __init__(self, world: World, name: str):
        self.world, self.name = world, name
        self.client, self.messages = Client(world), Messages()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.sleeping: list[tuple[float, asyncio.Future[None]]] = []
        self.paused = False
        self.hot = world.make(self)

    # what HotCopies is given

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleeping.append((self.world.time + seconds, future))
        await future

    async def look(self) -> FenceState:
        return await self.world.ask(self.world.fence.look)

    async def hush(self, seconds: float, run: str | None = None) -> FenceState:
        return await self.world.ask(lambda: self.world.fence.hush(seconds, run))

    # what it does

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def live(self) -> None:
        async with self.hot:
            await asyncio.get_running_loop().create_future()

    async def load(self) -> Copy:
        return await self.world.ask(lambda: self.world.row)

    async def read(self) -> None:
        floor = self.world.floor
        with suppress(StoreError):
            self.world.returned((await self.hot.read("g", self.load)).version, floor, f"{self.name} read")

    def get(self) -> None:
        copy = self.hot.get("g")
        if copy is not None:
            self.world.returned(copy.version, self.world.floor, f"{self.name} got")

    async def write(self) -> None:
        world = self.world
        with suppress(StoreError):
            floor = world.floor
            base = await self.hot.read("g", self.load)
            world.returned(base.version, floor, f"{self.name} read to write")
            data = str(base.version + 1).encode()
            change = Change(base.version, base.version + 1, data, {"p": data, "q": None if base.version % 2 else data})
            async with self.hot.writing("g") as writes:
                done = await world.ask(lambda: world.commit(change, writes.deadline), commits=True)
                if not done:
                    writes.refused("g")
                elif world.rng.random() < 0.8:
                    writes.committed("g", change)
                else:
                    writes.replaced("g")
            if done:
                world.acknowledged(change.version)


class World:
    """Everything. What is given beside the seed and the databases breaks the protocol, or the world, somewhere."""

    def __init__(
        self,
        seed: int,
        redis: Callable[[int], Redis],
        make: Callable[[Worker], Any] | None = None,
        *,
        flushes: bool = False,
        guard: bool = True,
        runs: bool = True,
        broken: tuple[Script, str, str] | None = None,
    ):
        self.rng = random.Random(seed)
        self.seed, self.flushes, self.guard, self.runs = seed, flushes, guard, runs
        self.scripts = dict(SCRIPTS)
        if broken is not None:
            script, old, new = broken
            assert old in script.body
            self.scripts[script.sha] = Script.of(script.body.replace(old, new))
        self.speed = self.rng.choice((1.0, 3.0, 10.0, 30.0))
        self.commits = self.rng.choice((self.speed, self.speed, 0.1))
        self.obeys = self.rng.choice((self.speed, self.speed, 0.4))
        self.writes = self.rng.choice((0.5, 1.0, 4.0))
        self.jumps = self.rng.choice((0.1, 0.1, 1.0))
        self.harm = self.rng.choice((0.0, 0.2, 1.0))
        """How quickly messages and commits arrive, how much is written, how often much time passes and something breaks."""
        self.connect = redis
        self.make = make or self.copies
        self.time = 1000.0
        self.fence = MemoryFence(lambda: self.time)
        self.row = Copy(1, b"1", {"p": b"1"})
        self.acked = self.seen = 1
        self.reads: dict[str, int] = {"got": 0, "read": 0}
        self.violations: list[str] = []
        self.trace: list[str] = []
        self.questions: list[Question] = []
        self.ghosts: list[Wire] = []
        self.servers: list[Server] = []
        self.file: dict[Any, Any] = {}
        self.workers: list[Worker] = []
        self.hots: list[HotCopies] = []
        self.names = 0

    def copies(self, worker: Worker, kind: type[HotCopies] = HotCopies) -> HotCopies:
        hot = kind(
            worker.client, worker.messages, worker, worker.name,  # type: ignore[arg-type]
            times=TIMES, now=lambda: self.time, sleep=worker.sleep,
        )  # fmt: skip
        self.hots.append(hot)
        return hot

    # --- truth and judgement

    async def ask(self, work: Callable[[], Any], commits: bool = False) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.questions.append(Question(work, future, commits))
        return await future

    def commit(self, change: Change, deadline: float) -> bool:
        if self.row.version != change.base or (self.guard and self.time >= deadline):
            return False
        self.row = change.upon(self.row)
        return True

    @property
    def floor(self) -> tuple[int, int]:
        return self.acked, self.seen

    def acknowledged(self, version: int) -> None:
        self.acked = max(self.acked, version)

    def returned(self, version: int, floor: tuple[int, int], who: str) -> None:
        self.reads["got" if "got" in who else "read"] += 1
        if version < floor[0]:
            self.violations.append(f"acknowledged: {who} {version} after {floor[0]} was acknowledged")
        elif version < floor[1]:
            self.violations.append(f"seen: {who} {version} after {floor[1]} was seen")
        self.seen = max(self.seen, version)

    # --- what may happen

    def server(self, rolled_back: bool, stays: bool) -> None:
        """A new server process, empty or with an older file; the old one dies, or stays with those who hold on to it."""
        run = f"run{len(self.servers):09}" if self.runs else "run"
        redis = self.connect(len(self.servers) % 16)
        redis.flushdb()
        if rolled_back:
            for key, dump in self.file.items():
                redis.restore(key, 0, dump)
        if self.servers and not stays:
            old = self.servers[-1]
            old.alive = False
            for worker in self.workers:
                if worker.client.wire is not None and worker.client.wire.server is old:
                    self.cut(worker)
            self.ghosts = [wire for wire in self.ghosts if wire.server.alive]
        self.servers.append(Server(run, redis, self.scripts))

    def worker(self) -> None:
        self.names += 1
        worker = Worker(self, f"w{self.names}")
        self.workers.append(worker)
        self.heal(worker)
        worker.start(worker.live())

    def kill(self, worker: Worker) -> None:
        self.cut(worker)
        for task in worker.tasks:
            task.cancel()
        self.workers.remove(worker)
        self.worker()

    def cut(self, worker: Worker) -> None:
        """What was sent already may still come to the server, as late as it likes; no answer comes back."""
        wire, worker.client.wire = worker.client.wire, None
        worker.messages.open = False
        worker.messages.waiting.clear()
        if wire is None:
            return
        sent = self.rng.randrange(len(wire.commands) + 1)
        self.ghosts.append(Wire(wire.server, deque(list(wire.commands)[:sent])))
        for future in [future for _, future in wire.commands] + [future for future, _ in wire.answers]:
            if not future.done():
                future.set_exception(RedisAway("cut off"))
                future.exception()

    def heal(self, worker: Worker) -> None:
        alive = [server for server in self.servers if server.alive]
        server = alive[-1] if self.rng.random() < 0.8 else self.rng.choice(alive)
        worker.client.wire = Wire(server)
        worker.messages.open = True
        worker.messages.waiting.append(None)

    def execute(self, wire: Wire) -> None:
        args, future = wire.commands.popleft()
        if args[0] == "FORGOTTEN":
            wire.answers.append((future, UnknownScript("")))
            return
        reply, published = wire.server.execute(args, self.time)
        wire.answers.append((future, reply))
        for channel, message in published:
            for worker in self.workers:
                if channel.decode().endswith(f":{worker.name}") and worker.messages.open:
                    worker.messages.waiting.append(message)

    def answer(self, wire: Wire) -> None:
        future, reply = wire.answers.popleft()
        if not future.done():
            future.set_exception(reply) if isinstance(reply, Exception) else future.set_result(reply)
            future.exception()

    async def question(self, question: Question) -> None:
        if not question.done:
            answer = question.work()
            question.answer = await answer if isinstance(answer, Coroutine) else answer
            question.done = True
        elif not question.future.done():
            if self.rng.random() < 0.03:
                question.future.set_exception(Lost("lost"))
            else:
                question.future.set_result(question.answer)
            question.future.exception()
        if question.future.done():
            self.questions.remove(question)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for worker in self.workers:
            if not worker.paused:
                self.wake(worker)

    def wake(self, worker: Worker) -> None:
        due = [future for until, future in worker.sleeping if until <= self.time]
        worker.sleeping = [(until, future) for until, future in worker.sleeping if until > self.time]
        for future in due:
            if not future.done():
                future.set_result(None)

    def pause(self, worker: Worker) -> None:
        worker.paused = not worker.paused
        if not worker.paused:
            self.wake(worker)

    def choices(self) -> list[tuple[float, str, Callable[[], Any]]]:
        """What may happen now: how likely, its name, and what it is."""
        found: list[tuple[float, str, Callable[[], Any]]] = []
        for worker in self.workers:
            wire, name, messages = worker.client.wire, worker.name, worker.messages
            if wire is not None and wire.commands:
                found.append((self.obeys, f"{wire.server.run} obeys {name}", lambda w=wire: self.execute(w)))
            if worker.paused:
                found.append((0.3, f"{name} goes on", lambda w=worker: self.pause(w)))
                continue
            if wire is not None and wire.answers:
                found.append((self.speed, f"{name} hears Redis", lambda w=wire: self.answer(w)))
            if messages.waiting:
                what = f"{name} hears {messages.waiting[0]!r}"
                found.append((self.speed, what, lambda m=messages: m.on_message(m.waiting.popleft())))
            if len(worker.tasks) < 4:
                found.append((2, f"{name} reads", lambda w=worker: w.start(w.read())))
                found.append((self.writes, f"{name} writes", lambda w=worker: w.start(w.write())))
            found.append((2, f"{name} gets", worker.get))
            found.append((0.3 * self.harm, f"{name} pauses", lambda w=worker: self.pause(w)))
            found.append((0.1 * self.harm, f"{name} is killed", lambda w=worker: self.kill(w)))
            if wire is not None:
                found.append((0.3 * self.harm, f"{name} is cut off", lambda w=worker: self.cut(w)))
            else:
                found.append((0.5, f"{name} is back", lambda w=worker: self.heal(w)))
        for question in self.questions:
            what = "PostgreSQL answers" if question.done else "PostgreSQL does"
            speed = self.speed if question.done or not question.commits else self.commits
            found.append((speed, what, lambda q=question: self.question(q)))
        for wire in self.ghosts:
            if wire.commands:
                found.append((0.7, f"{wire.server.run} obeys an old connection", lambda w=wire: self.execute(w)))
        found.append((2, "a moment passes", lambda: self.advance(self.rng.choice((0.02, 0.1, 0.3)))))
        found.append((self.jumps, "time passes", lambda: self.advance(self.rng.choice((1.1, 3.0, 6.0, 13.0)))))
        found.append((0.1 * self.harm, "Redis is lost", lambda: self.server(False, False)))
        found.append((0.1 * self.harm, "Redis is rolled back", lambda: self.server(True, False)))
        found.append((0.05 * self.harm, "Redis is split", lambda: self.server(False, True)))
        found.append((0.1, "Redis writes its file", self.dump))
        found.append((0.1, "a fill token lapses", lambda: self.forget("*:f")))
        if self.flushes:
            found.append((0.2, "Redis drops marks", lambda: self.forget("*:m")))
            found.append((0.2, "Redis drops copies", lambda: self.forget("*:h")))
        return found

    def dump(self) -> None:
        redis = self.servers[-1].redis
        self.file = {key: redis.dump(key) for key in redis.keys("*")}

    def forget(self, pattern: str) -> None:
        redis = self.servers[-1].redis
        for key in redis.keys(pattern):
            redis.delete(key)

    async def run(self, steps: int, workers: int = 2) -> list[str]:
        """Takes steps until a read is stale, or all are taken; gives the violations."""
        loop: Any = asyncio.get_running_loop()

        async def settle() -> None:
            await asyncio.sleep(0)
            while loop._ready:  # the schedule decides what happens next, not the clock
                await asyncio.sleep(0)

        self.server(False, False)
        await self.fence.hush(0, self.servers[0].run)
        for _ in range(workers):
            self.worker()
        for _ in range(steps):
            await settle()
            if self.violations:
                break
            choices = self.choices()
            ((_, name, step),) = self.rng.choices(choices, [weight for weight, _, _ in choices])
            self.trace.append(f"{self.time:.2f} {name}")
            result = step()
            if isinstance(result, Coroutine):
                await result
        await settle()
        for worker in self.workers:
            for task in tuple(worker.tasks):
                task.cancel()
        await settle()
        return self.violations
