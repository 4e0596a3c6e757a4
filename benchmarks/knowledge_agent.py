"""The knowledge agent's own time in each mode: with no model, with one that answers at once, from the cache; the floor is the bare call."""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agents.knowledge_agent import Asker, Finding, KnowledgeAgent
from agents.knowledge_agent.carrying import Seat
from agents.knowledge_agent.workflow import Workflows
from agents.models import asked
from agents.models.client import Client
from agents.models.configuration import Configuration
from agents.worlds import Where
from benchmarks.measure import peak, percentiles, row
from evals.scripted import Answer, Conversation, serving
from kb.pages.page import parse_page
from kb.search import SearchIndex
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore
from storage.checkpoints import MemoryCheckpoints

REQUIREMENTS = ("0.12", "0.13", "0.16", "0.20", "0.24")
PAGES, QUESTIONS, ASKED = 400, 60, 1_000
CALLS = 60
STEPS = '# Round\n\n1. `look`\n2. Check `go west`.\n3. Look up "hook".\n4. `inventory`\n5. Wave.\n'


def pages() -> SearchIndex:
    """An inn of many rooms, each with rules of its own."""
    made = {
        f"room-{n}.md": f"# Room {n}\n\n## Price\n\nRoom {n} costs {n} silver a night. See [[room-{n + 1}]].\n\n"
        + f"## Guests\n\nThe guests of room {n} sleep late.\n" * 12
        for n in range(PAGES)
    }
    return SearchIndex({path: parse_page(path, text) for path, text in made.items()}, "c0ffee" * 6)


def quotes(conversation: Conversation) -> Answer:
    """A model that says, at once, what the first passage says."""
    shown = conversation.messages[-1].text
    found = re.search(r"^\[(\d+)\] \([^)]*\) (Room \d+ costs \d+ silver a night\.)", shown, re.MULTILINE)
    sentences = [{"text": found[2], "passages": [int(found[1])]}] if found else []
    return Answer(json.dumps({"verdict": "valid", "sentences": sentences}))


async def spent(call: Callable[[int], Awaitable[object]], calls: int = CALLS) -> list[float]:
    """Seconds of each call, one after another, the first few left out."""
    taken: list[float] = []
    for number in range(calls + 3):
        begin = time.perf_counter()
        await call(number)
        taken.append(time.perf_counter() - begin)
    return taken[3:]


def line(name: str, taken: list[float], floor: float | None = None) -> float:
    p50, p95, _ = percentiles(taken)
    own = f"{(p50 - floor) * 1e3:.2f} ms ours, {p50 / floor:.2f} floors" if floor else ""
    row(name, f"{p50 * 1e3:.2f} / {p95 * 1e3:.2f} ms", own)
    return p50


async def measure(home: Path) -> None:
    index = pages()
    asker = Asker("ann", "inn", index)
    begin = time.perf_counter()
    index.search("room")
    row(f"index of {PAGES} pages, once a commit", f"{(time.perf_counter() - begin) * 1e3:.0f} ms")
    print("median / 95th percentile")
    line("search alone", await spent(lambda n: asyncio.to_thread(index.search, f"cost of room {n}", 30)))
    alone = KnowledgeAgent(None)
    line("interpret, no model (target 100)", await spent(lambda n: alone.interpret(asker, f"What does room {n} cost?")))
    line("synthesise, no model", await spent(lambda n: alone.synthesise(asker, f"the cost of room {n}")))
    line("validate, no model", await spent(lambda n: alone.validate(asker, f"Room {n} costs {n} silver")))

    app = build(Settings(home), store=MemoryStore(), now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    handle, _ = await app.games.start(Where.of("cloak"), "ann", seed=1)
    game = await app.games.game(handle, "ann")
    player = Asker.of(game)
    referee = "validate an action by the referee (target 100)"
    line(referee, await spent(lambda n: alone.validate(player, "may I go west?", game)))

    decide: list[Callable[[Conversation], Answer]] = [quotes]
    with serving(lambda conversation: decide[0](conversation)) as server:
        async with Client(Configuration.one(url=f"{server.url}/v1", model="scripted")) as client:
            agent = KnowledgeAgent(client)
            bodies: list[str] = []

            async def interpret(number: int) -> Finding:
                return await agent.interpret(asker, f"What does room {number} cost?")

            await interpret(PAGES - 1)
            said = server.requests[-1].conversation
            bodies.append(said.messages[-1].text)
            bare = replace(asked(said.system, bodies[0], purpose="test"), deadline=10.0)
            floor = line("a bare call with the same prompt (floor)", await spent(lambda _: client.chat(bare)))
            line("interpret, instant model", await spent(interpret), floor)
            line(
                "synthesise, instant model", await spent(lambda n: agent.synthesise(asker, f"cost of room {n}")), floor
            )
            line("validate, instant model", await spent(lambda n: agent.validate(asker, f"Room {n} costs {n}")), floor)
            line("interpret, from the cache", await spent(lambda n: interpret(n % CALLS)), floor)

            prose: list[float] = []
            decide[0] = lambda _: Answer('{"do": "none", "text": "", "next": 0, "done": true}')
            steps = Asker("ann", "w", SearchIndex({"w.md": parse_page("w.md", STEPS)}, game.world.commit))
            seat = Seat(app.games, handle, "ann")
            for name, model in (("no model", None), ("instant model, one call", client)):
                flows = Workflows(KnowledgeAgent(None), model, MemoryCheckpoints())
                prose = await spent(lambda n, f=flows: f.run(steps, "w", run=f"r{n}", table=seat), 20)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
                line(f"a workflow of five steps, {name}", prose, floor if model else None)
            decide[0] = quotes

            # Readers ask what others asked: a few questions make up most (Zipf).
            agent, before = KnowledgeAgent(client), len(server.requests)
            weights = [1 / (rank + 1) for rank in range(QUESTIONS)]
            wrong = 0
            for number in random.Random(5).choices(range(QUESTIONS), weights, k=ASKED):
                found = await agent.interpret(asker, f"What does room {number} cost?")
                wrong += f"Room {number} costs" not in found.text
            calls = len(server.requests) - before
            row(f"{ASKED} questions, {QUESTIONS} different", f"{agent.found / agent.asked:.1%}", f"hits; {calls} calls")
            moved = Asker(
                "ann", "inn", SearchIndex({"room-1.md": parse_page("r.md", "# Room 1\n\nGone.\n")}, "d00d" * 10)
            )
            stale = await agent.interpret(moved, "What does room 1 cost?")
            row("wrong or stale answers (target 0)", str(wrong + ("silver" in stale.text)))
    row("peak memory", f"{peak()} MiB")


def main() -> None:
    """Prints the time of each mode beside the bare call, and how often the cache answered."""
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(measure(Path(home)))


if __name__ == "__main__":
    main()
