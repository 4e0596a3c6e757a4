"""Owns the graph of a workflow's run: a node that carries out a step, and one that puts a question.

`compiled(hands, saver)`; `State` is what is kept of a run. It must not know how runs begin, or where they are kept.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypedDict

from agents.game import Game, GameService, Reply
from agents.knowledge_agent.agent import Asker, KnowledgeAgent
from agents.knowledge_agent.passages import plain
from agents.knowledge_agent.prompts import shown
from agents.knowledge_agent.prose import Step
from agents.models import MARKED, Marked, Message, Model, ModelError, Request
from storage.records import Json

MAX_DONE, MAX_CALLS, MAX_TRIES = 100, 30, 3
"""Of a run: results, calls of a model. Of a step: calls."""
MAX_ANSWER, REMEMBERED = 1_000, 6
"""Characters of an answer; results that a model is told of."""


class Table(Protocol):
    """Where a workflow acts: a player's place in a game."""

    async def game(self) -> Game: ...

    async def act(self, line: str, key: str) -> Reply:
        """A line of the player; the same key again is the same turn."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A `Table` of the game service."""

    games: GameService
    handle: str
    principal: str

    async def game(self) -> Game:
        return await self.games.game(self.handle, self.principal)

    async def act(self, line: str, key: str) -> Reply:
        return await self.games.act(self.handle, self.principal, line, key=key)


class State(TypedDict):
    """A run as it is kept; the steps stay those of the commit at which it began."""

    path: str
    heading: str
    commit: str
    steps: list[Json]
    at: int
    """The step that is next, from 1."""
    then: int
    """The step after the question."""
    done: Annotated[list[Json], operator.add]
    question: str
    why: str
    """Why it stopped; "": it did not."""
    calls: Annotated[int, operator.add]
    cost: Annotated[float, operator.add]


@dataclass(frozen=True, slots=True)
class Hands:
    """What a run's steps are carried out with."""

    agent: KnowledgeAgent
    model: Model | None
    asker: Asker
    table: Table | None
    thread: str

    async def do(self, did: str, said: str, key: str) -> tuple[str, str, int, float]:
        """Carries out one exact thing: what came of it, why the run stops then ("": it goes on), calls and cost."""
        match did:
            case "act":
                if self.table is None:
                    return "there is no game to act in", "It needs a game.", 0, 0.0
                reply = await self.table.act(said, key)
                return reply.text, "" if reply.status == "done" else f"`{said}` was not done: {reply.text}", 0, 0.0
            case "check":
                game = await self.table.game() if self.table else None
                found = await self.agent.validate(self.asker, said, game)
                stops = f"`{said}` is not allowed: {found.text}" if found.verdict == "invalid" else ""
                return f"{found.verdict}: {found.text}", stops, found.model_calls, found.cost
            case "search":
                found = await self.agent.interpret(self.asker, said)
                return found.text, "", found.model_calls, found.cost
            case _:
                raise AssertionError(f"no step does {did!r}")

    async def decide(self, state: State, step: Step, came: Sequence[str]) -> tuple[Json | None, int, float]:
        """What a model would do for a step in prose, with calls and cost; None: there is no model, or it gave no answer."""
        if self.model is None or state["calls"] >= MAX_CALLS:
            return None, 0, 0.0
        acts = ["act"] if self.table else []
        former = [f"{each['number']}. {each['said']}: {each['came']}" for each in state["done"][-REMEMBERED:]]
        whole = "\n".join(f"{each['number']}. {each['text']}" for each in state["steps"])
        results = "\n".join([*former, *came])
        parts = [
            f"The workflow:\n{Marked(shown(whole), state['path'])}",
            f"What came of former steps:\n{Marked(shown(results), 'results')}",
            f"The step to carry out now is number {step.number}:\n{Marked(shown(step.text), 'step')}",
        ]
        request = Request(
            (Message("system", _SYSTEM), Message("user", "\n\n".join(parts))), "workflow", max_tokens=200, deadline=15.0,
            schema=_schema([*acts, "ask", "search", "check", "none", "stop"]), priority=self.asker.priority,
            principal=self.asker.principal,
        )  # fmt: skip
        try:
            answer = await self.model.chat(request)
        except ModelError as error:
            return None, sum(each.calls for each in error.usage), sum(each.cost for each in error.usage)
        return answer.data, answer.usage.calls, answer.usage.cost


_SYSTEM = (
    "You carry out one step of a workflow at a time, by one action: act (a command of the game, as a player would type it), ask "
    "(a question to the user), search (words to look up), check (an action or statement to validate), none (nothing has to be "
    "done for it) or stop (the workflow ends here). `text` is the command, question, words or statement. `next` is the number "
    f"of the step that follows, `done` whether this step is finished with it. {MARKED}"
)


def _schema(actions: list[str]) -> Json:
    properties = {
        "do": {"type": "string", "enum": actions},
        "text": {"type": "string"},
        "next": {"type": "integer"},
        "done": {"type": "boolean"},
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def step_of(kept: Json) -> Step:
    return Step(kept["number"], kept["line"], kept["text"], kept["does"], tuple(kept["said"]))


def compiled(hands: Hands, saver: Any) -> Any:
    """A step is a node's run; a question interrupts in a node of its own, so that nothing before it is done again."""
    from langgraph.func import task
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    # A node runs again from its top after a kill: what a task gave is kept, and a turn has a key.
    do, decide = task(name="do")(hands.do), task(name="decide")(hands.decide)

    async def step(state: State) -> Json:
        at = step_of(state["steps"][state["at"] - 1])
        if len(state["done"]) >= MAX_DONE:
            return {"why": f"It took more than {MAX_DONE} steps."}
        key = f"{hands.thread} {len(state['done'])}"
        following = state["at"] + 1
        if at.does == "ask":
            return {"question": at.said[0], "then": state["at"] + 1}
        if at.does == "stop":
            return {"done": [_done(at, "stop", "", "it ends here")], "at": len(state["steps"]) + 1}
        if at.does != "prose":
            came, stops, calls, cost = "", "", 0, 0.0
            for number, said in enumerate(at.said):
                told, stops, took, paid = await do(at.does, said, f"{key} {number}")
                calls, cost = calls + took, cost + paid
                came = f"{came}\n{told}".strip()
                if stops:
                    break
            record = _done(at, at.does, ", ".join(at.said), came)
            return {"done": [record], "why": stops, "at": following, "calls": calls, "cost": cost}
        return await _prose(state, at, key, do, decide)

    async def ask(state: State) -> Json:
        answer = str(interrupt(state["question"]))
        at = step_of(state["steps"][state["at"] - 1])
        record = _done(at, "ask", state["question"], answer)
        kept: Json = {"done": [record], "question": "", "at": state["then"]}
        if state["question"] == _doubt(at):
            number = int(answer) if answer.strip().isdecimal() and len(answer) < 4 else 0
            kept["at"] = number if 1 <= number <= len(state["steps"]) else kept["at"]
            kept["why"] = "" if number or answer.strip().casefold().rstrip(".!") in _YES else "You ended it."
        return kept

    def onward(state: State) -> str:
        if state["question"]:
            return "ask"
        return END if state["why"] or state["at"] > len(state["steps"]) else "step"

    graph: Any = StateGraph(State)
    graph.add_node("step", step)
    graph.add_node("ask", ask)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", onward)
    graph.add_conditional_edges("ask", onward)
    return graph.compile(checkpointer=saver, name="workflow")


_YES = ("yes", "y", "go on", "ok")


async def _prose(state: State, at: Step, key: str, do: Any, decide: Any) -> Json:
    """A step that somebody has to understand: a model, a few calls at most; else the user where it has a condition."""
    came: list[str] = []
    calls, cost = 0, 0.0
    kept: list[Json] = []
    for number in range(MAX_TRIES):
        chosen, took, paid = await decide(state, at, came)
        calls, cost = calls + took, cost + paid
        spent: Json = {"calls": calls, "cost": cost, "done": kept}
        if chosen is None:
            break
        did, said = chosen["do"], plain(chosen["text"]).strip()[:MAX_ANSWER]
        following = chosen["next"] if 1 <= chosen["next"] <= len(state["steps"]) + 1 else state["at"] + 1
        if not said and did not in ("none", "stop"):
            break
        match did:
            case "ask":
                return {**spent, "question": said, "then": following if chosen["done"] else state["at"]}
            case "stop":
                return {**spent, "done": [*kept, _done(at, "stop", "", "it ends here")], "at": len(state["steps"]) + 1}
            case "none":
                return {**spent, "done": [*kept, _done(at, "none", "", "nothing to do")], "at": following}
            case _:
                told, stops, took, paid = await do(did, said, f"{key} {number}")
                calls, cost = calls + took, cost + paid
                came.append(f"{did} {said}: {told}")
                kept = [*kept, _done(at, did, said, told)]
                if stops or chosen["done"]:
                    return {"calls": calls, "cost": cost, "done": kept, "why": stops, "at": following}
    spent = {"calls": calls, "cost": cost, "done": kept}
    if kept:
        return {**spent, "at": state["at"] + 1}
    if at.conditional:
        return {**spent, "question": _doubt(at), "then": state["at"] + 1}
    return {**spent, "done": [_done(at, "left", "", "left to you: it needs a model")], "at": state["at"] + 1}


def _done(step: Step, did: str, said: str, came: str) -> Json:
    return {"number": step.number, "did": did, "said": said, "came": came}


def _doubt(step: Step) -> str:
    """What is asked where nobody but the user can tell how a step goes on."""
    return f"{step.text}\nShall it go on? (yes, no, or the number of the step)"
