"""Teams: what a run and a node cost over bare LangGraph with the same nodes, with a model that answers at once."""

from __future__ import annotations

import asyncio
import itertools
import operator
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from agents.access import LOCAL
from agents.knowledge import KnowledgeService, MemorySpaces
from agents.models import Answer, Message, Piece, Request, Usage
from agents.teams import Teams
from benchmarks.measure import peak, row
from rulebound.app import build
from rulebound.settings import Settings
from storage import MemoryStore
from storage.checkpoints import MemoryCheckpoints

REQUIREMENTS = ("0.21", "0.22")
FEW, MANY = 1, 11
RUNS = 30


class Instant:
    """A model that answers at once."""

    async def chat(self, request: Request) -> Answer:
        return Answer("Done.", Usage("instant", "instant"))

    def stream(self, request: Request) -> AsyncIterator[Piece]:
        raise NotImplementedError("teams do not stream a model")

    async def embed(
        self, texts: Sequence[str], *, principal: str = "local", deadline: float = 10.0
    ) -> list[list[float]]:
        raise NotImplementedError("teams embed nothing")


class State(TypedDict):
    log: Annotated[list[str], operator.add]


def bare(nodes: int) -> Callable[[], Awaitable[object]]:
    """LangGraph alone: as many nodes in a row, each with one task that asks the model, kept after each."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.func import task
    from langgraph.graph import START, StateGraph

    model, numbers = Instant(), itertools.count()

    @task
    async def ask() -> str:
        return (await model.chat(Request((Message("user", "Work."),), "team"))).text

    async def node(state: State) -> Any:
        return {"log": [await ask()]}

    graph: Any = StateGraph(State)
    for number in range(nodes):
        graph.add_node(str(number), node)
        graph.add_edge(str(number - 1) if number else START, str(number))
    compiled = graph.compile(checkpointer=InMemorySaver())

    async def run() -> object:
        config = {"configurable": {"thread_id": str(next(numbers))}}
        return await compiled.ainvoke({"log": []}, config, durability="sync")

    return run


def ours(teams: Teams, nodes: int) -> Callable[[], Awaitable[object]]:
    return lambda: teams.run(LOCAL, f"row-{nodes}", "Work.", world="tiny")


def page(nodes: int) -> str:
    names = [f"m{number}" for number in range(nodes)]
    sections = "".join(f"## {name}\nWork.\n" for name in names)
    return (
        f"---\nteam: row-{nodes}\nmembers: [{', '.join(names)}]\ncalls: 99\nsteps: 99\n---\n# Row\nWorks.\n{sections}"
    )


async def cost(run: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of one run: the median."""
    spent: list[float] = []
    await run()
    for _ in range(RUNS):
        start = time.perf_counter()
        await run()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


async def measure(home: Path) -> None:
    knowledge = KnowledgeService(MemorySpaces(), {}, home=home, cache=home / "cache")
    await knowledge.create(LOCAL, "tiny")
    pages = {
        "world.md": "---\nexperience: tiny\nstart: hall\n---\n# Tiny\n",
        "hall.md": "---\nplace: hall\n---\n# Hall\n",
        **{f"row-{nodes}.md": page(nodes) for nodes in (FEW, MANY)},
    }
    for path, text in pages.items():
        await knowledge.write(LOCAL, "tiny", path, text, branch="begin")
    await knowledge.publish(LOCAL, "tiny", "begin")
    app = build(Settings(home), store=MemoryStore())
    teams = Teams(Instant(), app.games, knowledge, app.worlds, MemoryCheckpoints())
    start = time.perf_counter()
    await teams.run(LOCAL, f"row-{FEW}", "Work.", world="tiny")
    first = (time.perf_counter() - start) * 1000
    floors = [await cost(bare(nodes)) for nodes in (FEW, MANY)]
    runs = [await cost(ours(teams, nodes)) for nodes in (FEW, MANY)]
    steps = MANY - FEW
    node, floor = (runs[1] - runs[0]) / steps, (floors[1] - floors[0]) / steps
    row("the first run of a process, with all imports", f"{first:,.0f} ms")
    row(f"bare LangGraph, {FEW} node (floor)", f"{floors[0]:.2f} ms")
    row(f"a run of {FEW} member", f"{runs[0]:.2f} ms", f"{runs[0] / floors[0]:.2f} floors")
    row(f"bare LangGraph, {MANY} nodes (floor)", f"{floors[1]:.2f} ms")
    row(f"a run of {MANY} members", f"{runs[1]:.2f} ms", f"{runs[1] / floors[1]:.2f} floors")
    row("a node of bare LangGraph (floor)", f"{floor:.2f} ms")
    row("a member's step", f"{node:.2f} ms", f"{node / floor:.2f} floors")
    row("runs a second with an instant model", f"{1000 / runs[0]:,.0f}")
    row("peak memory", f"{peak()} MiB")


def main() -> None:
    """Prints the cost of a run and of a step beside bare LangGraph's."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
