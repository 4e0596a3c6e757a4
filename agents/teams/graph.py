"""Owns compiling a team to a LangGraph graph: a node for each member of each part of its work, edges as its page says.

`compiled(team, …)` gives the graph; a node runs again from its top when a run goes on, so each call of a model and each use of
a tool is a task, whose result is kept. It must not know services.
"""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypedDict

from agents.models import Model
from agents.teams.member import Share, Step, Turn, asked
from agents.teams.tools import Desk, use
from kb.teams import Again, Choose, Claim, Team, Together
from storage.records import Json

People = Callable[[], Awaitable[Sequence[Json]]]


def _longest(one: float, other: float) -> float:
    return max(one, other)


class State(TypedDict, total=False):
    """A run, as it is kept: plain JSON, so that any version reads it."""

    page: Json
    """`path` and `text` of the team's page as it was when the run began."""
    world: str
    handle: str
    task: str
    log: Annotated[list[Json], operator.add]
    """The finished steps."""
    worked: Annotated[float, _longest]
    """Seconds."""
    about: Json
    number: int
    beside: int
    """Of a step for one of several people: whom, which of them, of how many."""


def compiled(desk: Desk, model: Model, people: People, saver: Any) -> Any:
    """The graph of a run. `people` gives those whom a member works for one by one."""
    from langgraph.config import get_stream_writer
    from langgraph.func import task
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send, interrupt

    team = desk.team

    @task(name="ask")
    async def ask(request: Any) -> Json:
        return await asked(model, request)

    @task(name="use")
    async def do(name: str, arguments: Json, key: str) -> Json:
        return await use(desk, name, arguments, key)

    def node(id: str, part: int, number: int, beside: int, choose: Choose | None = None) -> Any:
        async def step(state: State) -> Json:
            log = state.get("log", [])
            at, of = state.get("number", number), state.get("beside", beside)
            if len(log) + at >= team.steps:
                return {}
            share = _share(team, log, at, of)
            turn = Turn(state["task"], part, _rounds(log, part) + 1, at, state.get("about", {}), log, share, choose)
            work = Step(desk, team.member(id), turn, ask, do, interrupt, get_stream_writer())
            record = await work.work()
            return {"log": [record], "worked": desk.spent}

        return step

    async def enter(part: int, state: State) -> list[Any] | str:
        """Where a part begins; the next one's where nobody is there for whom it could."""
        match team.work[part]:
            case Together(members, each) if each:
                found = await people()
                if not found:
                    return await onward(part, state)
                told: Json = {**state, "beside": len(found)}
                [name] = _names(part, members)
                return [Send(name, {**told, "about": about, "number": n}) for n, about in enumerate(found)]
            case Together(members):
                return _names(part, members)
            case Choose(chooser):
                return [_name(part, chooser)]
            case Again():
                raise AssertionError("nobody works there, and `following` never gives it")

    async def onward(part: int, state: State) -> list[Any] | str:
        """Where a run goes after a part."""
        log = state.get("log", [])
        if over(team, log):
            return END
        next = following(team, part, log)
        return END if next is None else await enter(next, state)

    async def chosen(part: int, state: State) -> list[Any] | str:
        """Whom a chooser chose, or on."""
        choose, log = team.work[part], state.get("log", [])
        assert isinstance(choose, Choose)
        answers = [each["answer"] for each in log if each["part"] == part and each["member"] == choose.chooser]
        answer = answers[-1] if answers else ""
        if answer in choose.among and len(answers) <= choose.times and not over(team, log):
            return [_name(part, answer)]
        return await onward(part, state)

    async def joined(state: State) -> Json:
        return {}

    graph: Any = StateGraph(State)
    for part, work in enumerate(team.work):
        match work:
            case Together(members):
                names = _names(part, members)
                for number, id in enumerate(members):
                    graph.add_node(names[number], node(id, part, number, len(members)))
                last = names[0]
                if len(members) > 1 or work.each:
                    last = f"{part + 1} together"
                    graph.add_node(last, joined)
                    for name in names:
                        graph.add_edge(name, last)
                graph.add_conditional_edges(last, _at(onward, part))
            case Choose(chooser, among):
                graph.add_node(_name(part, chooser), node(chooser, part, 0, 1, work))
                graph.add_conditional_edges(_name(part, chooser), _at(chosen, part))
                for id in among:
                    graph.add_node(_name(part, id), node(id, part, 0, 1))
                    graph.add_edge(_name(part, id), _name(part, chooser))
            case Again():
                pass
    graph.add_conditional_edges(START, _at(enter, 0))
    return graph.compile(checkpointer=saver, name=team.id)


def _at(where: Callable[[int, State], Awaitable[Any]], part: int) -> Any:
    async def path(state: State) -> Any:
        return await where(part, state)

    return path


def _names(part: int, members: Sequence[str]) -> list[str]:
    """Of the nodes of those who work at the same time: what nodes give is put together in the order of their names."""
    if len(members) == 1:
        return [_name(part, members[0])]
    return [f"{part + 1}{chr(ord('a') + number)} {id}" for number, id in enumerate(members)]


def _name(part: int, id: str) -> str:
    return f"{part + 1} {id}"


def _rounds(log: Sequence[Json], part: int) -> int:
    """How often a part was worked on."""
    return max((each["round"] for each in log if each["part"] == part), default=0)


def _share(team: Team, log: Sequence[Json], number: int, beside: int) -> Share:
    """What a step may spend of what is left: it does not depend on who of those beside it is faster."""
    calls = max(0, team.calls - sum(each["calls"] for each in log))
    cost = max(0.0, team.cost - sum(each["cost"] for each in log))
    return Share(calls // beside + (number < calls % beside), cost / beside)


def following(team: Team, part: int, log: Sequence[Json]) -> int | None:
    """The part that is worked on after one; None at the end."""
    for next in range(part + 1, len(team.work)):
        again = team.work[next]
        if not isinstance(again, Again):
            return next
        if holds(again.claim, log) and _rounds(log, again.part) <= again.times:
            return again.part
    return None


def over(team: Team, log: Sequence[Json]) -> str:
    """Why no further step is taken after those; empty where one may be."""
    if not log:
        return ""
    last = [each for each in log if (each["part"], each["round"]) == (log[-1]["part"], log[-1]["round"])]
    notes = [each["note"] for each in last]
    limit = next((note for note in notes if note in ("calls", "cost", "deadline")), "")
    if limit:
        return limit
    if all(note.startswith("model") for note in notes):
        return notes[0]
    if any(holds(claim, log) for claim in team.stop):
        return "stop"
    return "steps" if len(log) >= team.steps else ""


def holds(claim: Claim, log: Sequence[Json]) -> bool:
    """Whether a claim of a team's page is so after some steps."""
    if claim.member:
        answers = [each["answer"] for each in log if each["member"] == claim.member]
        return (bool(answers) and answers[-1] == claim.word) == claim.holds
    found = [did["errors"] for each in log for did in each["did"] if did.get("errors") is not None]
    return (bool(found) and found[-1] == 0) == claim.holds


def unsettled(team: Team, log: Sequence[Json]) -> Again | None:
    """The part that would have been worked on once more, had its page allowed it."""
    found = (each for each in team.work if isinstance(each, Again))
    return next((each for each in found if holds(each.claim, log) and _rounds(log, each.part) > each.times), None)
