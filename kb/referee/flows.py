"""Owns the players' ways through workflows and quests.

`advance` moves them on at the end of a turn, `progress` is what the effects ask for. Positions are kept by a step's
heading, so that an edit resumes at the right one. It must not know actions.
"""

from __future__ import annotations

from typing import Any, Protocol

from kb.referee.effects import Engine, run_effects
from kb.referee.frame import Turn
from kb.referee.model import Refused, TraceLine
from kb.referee.state import State
from kb.rulebook import Act, Ask, Branch, End, Line, Step, Wait, Workflow

MAX_STEPS = 100


class Follower(Engine, Protocol):
    """The referee, which also runs what arriving somewhere sets off."""

    def arrive(self, turn: Turn) -> None:
        """Runs the rules on `player enters` for every move that was made."""
        ...


def advance(turn: Turn, engine: Follower) -> None:
    """Moves the acting player's workflows on as far as they go."""
    budget = MAX_STEPS
    for id in sorted(turn.steps(turn.player)):
        flow = turn.shape.rulebook.workflows.get(id)
        while flow is not None:
            where = turn.steps(turn.player).get(id)
            if where is None or not _step(turn, flow, where, engine):
                break
            budget -= 1
            if budget <= 0:
                why = f"more than {MAX_STEPS} steps of workflows in one turn"
                raise Refused("That goes round in circles.", f"{id}: {why}")


def _step(turn: Turn, flow: Workflow, where: list[Any], engine: Follower) -> bool:
    """Does one line of a workflow; False where it waits."""
    at, asked = position(flow, where), where[2]
    number: int = where[1]
    step = flow.steps[at]
    if number >= len(step.lines):
        go(turn, flow, at + 1)
        return True
    line = step.lines[number]
    match line:
        case Wait():
            if not _holds(turn, line):
                return False
        case Act():
            run_effects(turn, (line.effect,), engine)
            engine.arrive(turn)
            if turn.steps(turn.player).get(flow.id) != where:
                return True
        case Branch():
            if _holds(turn, line):
                go(turn, flow, line.step)
                return True
        case Ask():
            if not asked:
                turn.say(turn.player, line.text(turn), line.span)
                place(turn, flow, step, number, asked=True)
            return False
        case End():
            if line.text is not None:
                turn.say(turn.player, line.text(turn), line.span)
            finish(turn, flow, "done")
            return True
    place(turn, flow, step, number + 1, asked=False)
    return True


def _holds(turn: Turn, line: Wait | Branch) -> bool:
    expr = line.until if isinstance(line, Wait) else line.condition
    held = expr(turn)
    turn.trace.append(TraceLine("step", line.span, expr.source, held))
    return held


def position(flow: Workflow, where: list[Any]) -> int:
    """The step's index by its heading; where an edit renamed it, the first step."""
    return next((index for index, step in enumerate(flow.steps) if step.slug == where[0]), 0)


def place(turn: Turn, flow: Workflow, step: Step, line: int, *, asked: bool) -> None:
    """Puts the acting player at a line of a step."""
    turn.keep(turn.player, "steps", {**turn.steps(turn.player), flow.id: [step.slug, line, asked]})


def go(turn: Turn, flow: Workflow, step: int) -> None:
    """Puts the acting player at the beginning of a step; past the last one the workflow is done."""
    if step >= len(flow.steps):
        finish(turn, flow, "done")
    else:
        place(turn, flow, flow.steps[step], 0, asked=False)


def finish(turn: Turn, flow: Workflow, status: str) -> None:
    """Ends a workflow for the acting player."""
    left = {each: where for each, where in turn.steps(turn.player).items() if each != flow.id}
    turn.keep(turn.player, "steps", left)
    _status(turn, flow, status)


def _status(turn: Turn, flow: Workflow, status: str) -> None:
    if flow.quest:
        quests = turn.acting_row(flow.id)["quests"]
        turn.write(turn.player, "quests", {**quests, flow.id: status}, flow.id)


def progress(turn: Turn, verb: str, id: str) -> None:
    """start, advance, end or fail a quest or workflow of the acting player. What has begun does not begin again."""
    flow = turn.shape.rulebook.workflows[id]
    row = turn.acting_row(f"{verb} {id}")
    where = turn.steps(turn.player).get(id)
    if verb == "start":
        if where is not None or row["quests"].get(id, "not-started") != "not-started":
            return
        _status(turn, flow, "active")
        if flow.steps:
            place(turn, flow, flow.steps[0], 0, asked=False)
    elif verb == "advance":
        if where is not None:
            go(turn, flow, position(flow, where) + 1)
    else:
        finish(turn, flow, "done" if verb == "end" else "failed")


def line_at(flow: Workflow, where: list[Any]) -> Line | None:
    """The line at a position; None past a step's last one."""
    lines, number = flow.steps[position(flow, where)].lines, int(where[1])
    return lines[number] if number < len(lines) else None


def pending(state: State, player: str) -> tuple[Workflow, Ask] | None:
    """The question that a workflow has put to the player."""
    for id, where in sorted(state.own.get(player, {}).get("steps", {}).items()):
        flow = state.rulebook.workflows.get(id)
        if flow is None or not where[2]:
            continue
        line = line_at(flow, where)
        if isinstance(line, Ask):
            return flow, line
    return None
