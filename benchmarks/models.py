"""Models: what the client adds to a bare HTTP call and to a bare litellm call, whole and streamed; the fairness of the line; agent
runs a second with an instant model; what starting a command imports. Each beside a floor of the same run."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import orjson

from agents.models import Message, Model, Request, Tool, ToolCall, asked
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.models.over_litellm import loaded
from benchmarks.measure import peak, percentiles, row

REQUIREMENTS = ("3.01", "3.14")
CALLS, STREAMS, CHUNKS = 150, 10, 100
HI = asked("Be brief.", "Hi", purpose="test", max_tokens=64)
LONG = asked("Be brief.", "Tell a tale", purpose="test", max_tokens=2000)
SERVER = """
import asyncio, json, sys
# Answers what it read once, so that what is measured is the client.
whole = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason":
    "stop", "message": {"role": "assistant", "content": "ok"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}})
def chunk(delta, end=None):
    told = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta,
        "finish_reason": end}]}
    return f"data: {json.dumps(told)}\\n\\n".encode()
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
            body = json.loads(await reader.readexactly(size))
            if not body.get("stream"):
                writer.write(f"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: {len(whole)}\\r\\n\\r\\n{whole}".encode())
                continue
            writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n")
            parts = [chunk({"role": "assistant", "content": "word "}) for _ in range(CHUNKS)] + [chunk({}, "stop"), b"data: [DONE]\\n\\n"]
            for part in parts:
                writer.write(f"{len(part):x}\\r\\n".encode() + part + b"\\r\\n")
                await writer.drain()
            writer.write(b"0\\r\\n\\r\\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
CHUNKS = int(sys.argv[1])
asyncio.run(main())
"""


async def each(call: Callable[[], Awaitable[Any]], count: int) -> tuple[float, float]:
    """Seconds of one call, one after the other: the median, and the processor time of this process."""
    for _ in range(3):
        await call()
    took: list[float] = []
    used = time.process_time()
    for _ in range(count):
        begin = time.perf_counter()
        await call()
        took.append(time.perf_counter() - begin)
    return statistics.median(took), (time.process_time() - used) / count


def line(name: str, found: tuple[float, float], floor: tuple[float, float] | None = None, parts: int = 1) -> None:
    """What is added to the floor, a call or a chunk: seconds of the clock, and of the processor."""
    added = "floor"
    if floor is not None:
        clock, used = ((one - other) * 1000 / parts for one, other in zip(found, floor, strict=True))
        added = f"+{clock:.3f} ms, +{used:.3f} ms of CPU a {'call' if parts == 1 else 'chunk'}"
    row(name, f"{found[0] * 1000:,.2f} ms", added)


async def drained(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def overhead(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    headers = {"content-type": "application/json"}
    thin = Configuration.one(url=url, model="m")
    wide = Configuration.one(url=url, model="openai/m", key="k", through="litellm")
    async with httpx2.AsyncClient(timeout=None) as http, Client(thin) as one, Client(wide) as two:

        async def bare() -> None:
            orjson.loads(
                (await http.post(f"{url}/chat/completions", content=orjson.dumps(body), headers=headers)).content
            )

        async def bare_stream() -> None:
            sent = orjson.dumps(body | {"stream": True})
            async with http.stream("POST", f"{url}/chat/completions", content=sent, headers=headers) as response:
                async for told in response.aiter_lines():
                    if told.startswith("data: {"):
                        orjson.loads(told[6:])

        floor, flow = await each(bare, CALLS), await each(bare_stream, STREAMS)
        line("bare HTTP call by httpx2", floor)
        line("thin path (target +2 ms)", await each(lambda: one.chat(HI), CALLS), floor)
        line(f"bare HTTP stream of {CHUNKS} chunks", flow)
        line(
            "thin path, streamed (target +0.1 ms)", await each(lambda: drained(one.stream(LONG)), STREAMS), flow, CHUNKS
        )
        litellm = await loaded()
        given: dict[str, Any] = {**body, "model": "openai/m", "api_base": url, "api_key": "k", "max_retries": 0}

        async def bare_litellm_stream() -> None:
            await drained(await litellm.acompletion(**given, stream=True))

        base = await each(lambda: litellm.acompletion(**given), CALLS // 3)
        stream = await each(bare_litellm_stream, STREAMS // 2)
        line("bare litellm call", base)
        line("litellm path", await each(lambda: two.chat(HI), CALLS // 3), base)
        line(f"bare litellm stream of {CHUNKS} chunks", stream)
        line("litellm path, streamed", await each(lambda: drained(two.stream(LONG)), STREAMS // 2), stream, CHUNKS)
        row("memory with litellm", f"{peak()} MiB")


async def fairness(url: str) -> None:
    """One principal floods a provider of four calls at once with 200; ten others ask five times each meanwhile."""
    waits: dict[str, list[float]] = {}

    async def ask(model: Model, principal: str) -> None:
        begin = time.perf_counter()
        await model.chat(asked("s", "Hi", purpose="test", principal=principal, deadline=60))
        waits.setdefault(principal, []).append(time.perf_counter() - begin)

    async def guest(model: Model, principal: str) -> None:
        for _ in range(5):
            await ask(model, principal)

    async with Client(Configuration.one(url=url, model="m", concurrency=4)) as model:
        for _ in range(10):
            await ask(model, "alone")
        flood = [asyncio.create_task(ask(model, "flood")) for _ in range(200)]
        await asyncio.gather(*(guest(model, f"guest {n}") for n in range(10)))
        before = len(waits["flood"])
        await asyncio.gather(*flood)
    row("alone, p50", f"{percentiles(waits['alone'])[0] * 1000:.1f} ms", "floor")
    for name in ("guest 0", "guest 5", "guest 9", "flood"):
        p50, p95, _ = percentiles(waits[name])
        row(f"{name} of 4 places, p50 and p95", f"{p50 * 1000:.0f}, {p95 * 1000:.0f} ms", f"{len(waits[name])} calls")
    row("calls of the flood before the last guest's", str(before), "of 200; a plain queue: 200")


async def runs(url: str) -> None:
    """Agent runs with an instant model: a call of a tool, its result, an answer; 20 at once."""
    tool = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})

    async def run(model: Model, number: int) -> None:
        said = (Message("user", f"Look around, {number}"),)
        first = await model.chat(Request(said, "team", tools=(tool,), principal=f"p{number % 20}", deadline=30))
        calls = first.calls or (ToolCall("c1", "look", {"at": "room"}),)
        more = (Message("assistant", first.text, calls), Message("tool", "A room.", call_id=calls[0].id))
        await model.chat(Request((*said, *more), "team", tools=(tool,), principal=f"p{number % 20}", deadline=30))

    async with Client(Configuration.one(url=url, model="m", concurrency=32)) as model, httpx2.AsyncClient() as http:
        body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Look"}]})

        async def bare(_: int) -> None:
            for _ in range(2):
                await http.post(f"{url}/chat/completions", content=body)

        async def ours(number: int) -> None:
            await run(model, number)

        rates: list[float] = []
        for one in (bare, ours):
            gate, begin, count = asyncio.Semaphore(20), time.perf_counter(), 300

            async def gated(
                number: int, one: Callable[[int], Awaitable[None]] = one, gate: asyncio.Semaphore = gate
            ) -> None:
                async with gate:
                    await one(number)

            await asyncio.gather(*(gated(number) for number in range(count)))
            rates.append(count / (time.perf_counter() - begin))
    row("two bare HTTP calls", f"{rates[0]:,.0f}/s", "floor")
    row("agent runs of two calls (target 100/s)", f"{rates[1]:,.0f}/s", f"{rates[0] / rates[1]:.1f} floors")


def starting() -> None:
    """Processor time from start to end: a bare interpreter, and commands that must not pay for models."""

    def took(*command: str) -> float:
        found: list[float] = []
        for _ in range(3):
            begin = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime)
        return min(found)

    floor = took("-c", "pass")
    row("a bare interpreter", f"{floor * 1000:,.0f} ms", "floor")
    modules = (
        "import sys, rulebound.{}; sys.exit(any(each in sys.modules for each in ('litellm', 'langgraph', 'psycopg')))"
    )
    for name, command in (
        ("rulebound --help", ("-m", "rulebound", "--help")),
        ("importing check", ("-c", modules.format("commands.check"))),
        ("importing play", ("-c", modules.format("commands.play"))),
        ("importing the client", ("-c", "import agents.models.client")),
    ):
        row(f"{name} (target 300 ms)", f"{took(*command) * 1000:,.0f} ms", f"{took(*command) / floor:.1f} floors")


def main() -> None:
    """Prints everything."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(CHUNKS)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            asyncio.run(fairness(url))
            asyncio.run(runs(url))
            starting()
            asyncio.run(overhead(url))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
