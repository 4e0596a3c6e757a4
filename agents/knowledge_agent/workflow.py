"""Owns running a workflow written in prose: step by step, each kept when it is done, as a LangGraph graph.

`await Workflows(agent, model, checkpoints).run(asker, page, run="r1", table=…)` begins a run or goes on with it. What is done in a
game is a turn of the player, with their rights, once. It must not know how checkpoints are stored.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from agents.citations import Citation
from agents.knowledge_agent.agent import KnowledgeAgent
from agents.knowledge_agent.asking import Asker
from agents.knowledge_agent.carrying import MAX_ANSWER, MAX_DONE, Hands, State, Table, compiled, step_of
from agents.knowledge_agent.findings import Finding
from agents.knowledge_agent.prose import Step, steps
from agents.models import Model, Usage
from kb.types import storable
from storage.checkpoints import Checkpoints, owner

Status = Literal["done", "waiting", "stopped", "paused"]
"""`waiting`: a question is put, and an answer goes on. `stopped`: a step was refused, or the user ended it. `paused`: the
deadline passed, and the same call goes on."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a step: what was done, with which words, and what came of it."""

    number: int
    did: str
    said: str
    came: str


@dataclass(frozen=True, slots=True)
class Ran:
    """A run as it stands. `finding` tells it as an answer, citing the steps that were done."""

    status: Status
    question: str
    steps: tuple[Step, ...]
    done: tuple[Done, ...]
    finding: Finding


class NoWorkflow(Exception):
    """The page is not there, or it has no numbered steps."""


class Workflows:
    """Runs workflows of pages; a run is its principal's alone."""

    def __init__(self, agent: KnowledgeAgent, model: Model | None, checkpoints: Checkpoints):
        self._agent, self._model, self._checkpoints = agent, model, checkpoints

    async def run(
        self, asker: Asker, page: str, *, run: str, answer: str | None = None, table: Table | None = None,
        deadline: float = 60.0,
    ) -> Ran:  # fmt: skip
        """Begins the run of this name, or goes on with it: after a question with the `answer`. Raises `NoWorkflow`,
        `RunBusy`, `StoreAway`."""
        from langgraph.types import Command

        thread = storable(f"{owner(asker.principal)} workflow {asker.space} {run}")
        async with self._checkpoints.run(thread) as saver:
            graph = compiled(Hands(self._agent, self._model, asker, table, thread), saver)
            config: Any = {"configurable": {"thread_id": thread}, "recursion_limit": 4 * MAX_DONE}
            kept = await graph.aget_state(config)
            state: State = kept.values
            entry: Any = None
            before = len(state["usage"]) if state else 0
            if not state:
                entry = state = _begun(asker, page)
            elif asker.pages.resolve(page) not in (state["path"], None):  # None: it is gone since
                raise NoWorkflow(f"The run {run[:80]!r} is of {state['path']}")
            elif state["question"] and not answer:
                return _ran(state, "waiting", before)
            elif not kept.next:
                return _ran(state, "stopped" if state["why"] else "done", before)
            elif state["question"]:
                entry = Command(resume=storable(answer or "")[:MAX_ANSWER])
            paused = False
            try:
                async with asyncio.timeout(deadline):
                    await graph.ainvoke(entry, config, durability="sync")
            except TimeoutError:
                paused = True
            kept = await graph.aget_state(config)
            state = kept.values or state
            if kept.values and not kept.next:
                await self._checkpoints.finished(saver, thread)
        if paused:
            return _ran(state, "paused", before)
        return _ran(state, "waiting" if state["question"] else "stopped" if state["why"] else "done", before)


def _begun(asker: Asker, page: str) -> State:
    sections = asker.pages.sections(page)
    found = steps(sections) if sections else []
    if sections is None or not found:
        raise NoWorkflow(f"{page[:80]!r} is no page with numbered steps")
    heading = sections.heading(found[0].line) or sections.path
    kept = [{"number": each.number, "line": each.line, "text": each.text, "does": each.does, "said": list(each.said)}
            for each in found]  # fmt: skip
    return {
        "path": sections.path, "heading": heading, "commit": sections.commit, "steps": kept, "at": 1, "then": 1, "done": [],
        "question": "", "why": "", "usage": [],
    }  # fmt: skip


def _ran(state: State, status: Status, before: int) -> Ran:
    """`before` is how much of the usage former calls told."""
    done = tuple(Done(**each) for each in state["done"])
    found = tuple(step_of(each) for each in state["steps"])
    cited = dict.fromkeys(Citation(state["path"], state["heading"], found[each.number - 1].line, state["commit"])
                          for each in done)  # fmt: skip
    told = [f"{each.number}. {each.said or found[each.number - 1].text}: {each.came}" for each in done]
    last = state["question"] if status == "waiting" else state["why"]
    reasons = {
        "done": "every step is done", "waiting": "it waits for an answer", "stopped": state["why"],
        "paused": "the time is over: the same call goes on",
    }  # fmt: skip
    text = "\n".join([*told, *([last] if last else [])])
    usage = tuple(Usage(**each) for each in state["usage"][before:])
    finding = Finding(text, tuple(cited), "call" if usage else "rules", reasons[status], usage=usage)
    return Ran(status, state["question"], found, done, finding)
