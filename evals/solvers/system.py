"""Owns playing a case by the system as it is: every message goes through the router, with a model or without.

`System(needs)`; another `way` than the router's gives the solvers of single paths (`evals.solvers.paths`). Each attempt has a process
of its own, as it were (`evals.solvers.seated`). It must not know scorers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from agents.game import GameService
from agents.models.model import ToolCall
from evals.attempts import Attempt, Status, Step, shown
from evals.cases import Case, CaseError
from evals.environment import PLAYER, Environment
from evals.oracle import outside, recorded
from evals.saying import SAYING, Saying
from evals.solvers import Needs, Solver
from evals.solvers.seated import Seated, sit
from kb.referee import Action, State
from kb.types import storable
from router import Answered
from storage import TurnRecord
from storage.records import Json

Way = Callable[[str, str], Awaitable[Answered]]
"""Answers a message, which has a key."""


def by_router(seated: Seated) -> Way:
    """The system as it is."""
    router = seated.answering.router(seated.knowledge)

    async def answer(message: str, key: str) -> Answered:
        return await router.answer(seated.asker, message, **seated.named(key))

    return answer


class System:
    """A solver whose messages go a way."""

    def __init__(self, needs: Needs, way: Callable[[Seated], Way] = by_router, games: type[GameService] = GameService):
        self._needs, self._way, self._games = needs, way, games
        self._closing: set[asyncio.Task[None]] = set()

    def lines(self, case: Case, at: Environment, epoch: int) -> Iterable[str]:
        """What is said, one after the other; a task in one."""
        return [turn.says for turn in case.turns] or [case.task]

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        """Raises `CaseError`, and `CassetteError` or `LimitError` where the run itself cannot go on."""
        seated = await sit(case, at, epoch, self._needs, self._games)
        way = self._way(seated)
        states: list[State] = [(await seated.game()).state]
        steps: list[Step] = []
        error = ""
        try:
            for number, line in enumerate(self.lines(case, at, epoch)):
                step, state = await _said(seated, way, line, number)
                steps.append(step)
                states.append(state)
        except CaseError:
            raise
        except Exception as found:  # what was played until then is shown with it
            if seated.model is not None and seated.model.broken is not None:
                raise
            error = f"{type(found).__name__}: {found}"
        finally:
            # It waits a moment for others that listen, of whom there are none here: the next case need not.
            task = asyncio.create_task(seated.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        turns = tuple(range(1, min(len(steps), len(case.turns)) + 1))
        return Attempt(tuple(steps), tuple(states), turns, error, PLAYER)

    async def close(self) -> None:
        """Ends what attempts left."""
        await asyncio.gather(*self._closing, return_exceptions=True)


async def _said(seated: Seated, way: Way, message: str, number: int) -> tuple[Step, State]:
    """A message's step, and the state after it."""
    before, model = await seated.game(), seated.model
    SAYING.set(Saying(seated.case, number, seated.at, before.state, before.dialogue))
    try:
        answered = await way(message, f"turn-{number}")
    except BaseException:
        if model is not None and model.broken is not None:
            raise model.broken from None
        raise
    if model is not None and model.broken is not None:
        raise model.broken
    # What is remembered of it is in mind before the next message comes, however fast that is.
    await seated.answering.voices.close()
    after = await seated.game()
    turns = await seated.store.turns(after.record.id, before.record.version)
    models, dropped = (model.taken(), model.given_up()) if model is not None else ((), ())
    step = _step(message, answered, turns, models, dropped, after.state)
    legal = recorded(seated.at.session, before.state, PLAYER, before.dialogue, turns)
    return replace(step, executed=outside(legal, after.state)), after.state


def _step(
    message: str,
    answered: Answered,
    turns: Sequence[TurnRecord],
    models: tuple[Json, ...],
    dropped: Sequence[ToolCall],
    state: State,
) -> Step:
    """What was answered, and the turn that was played."""
    actions: list[Json] = [each for turn in turns for each in turn.outcome["actions"]]
    last: Json = actions[-1] if actions else {}
    status = _status(answered, actions)
    return Step(
        storable(message),
        answered.text,
        status,
        actions=tuple(map(_shown, actions)),
        rule=last.get("rule") or "",
        reason=(last.get("reason") or "" if status == "refused" else "") or answered.reason,
        lines=tuple(_line(each) for action in actions for each in action["lines"]),
        changes=tuple(each for action in actions for each in action["effects"]),
        route=answered.route,
        tier=answered.tier,
        models=models,
        citations=tuple(f"{each.path}#{each.heading}:{each.line}" for each in answered.citations),
        attempted=tuple(dict.fromkeys((*map(_dropped, dropped), *(each for turn in turns for each in _refused(turn))))),
        hash=state.hash,
    )


def _status(answered: Answered, actions: Sequence[Json]) -> Status:
    if any(each["status"] == "refused" for each in actions):
        return "refused"
    if answered.route == "question":
        return "question"
    if answered.route == "action" and answered.reply is not None and answered.reply.status == "done":
        return "done"
    return "not-understood" if answered.route in ("action", "help") else "answered"


def _shown(action: Json) -> str:
    return shown(Action(action["action"], action["values"], action["text"]))


def _line(told: Json) -> str:
    """As `evals.attempts.lines_of` writes it, which has no commit."""
    value = "" if told["value"] is None else f" = {told['value']}"
    return f"{told['at'].rpartition('@')[0]} {told['kind']}: {told['text']}{value}"


def _dropped(call: ToolCall) -> str:
    return f"{call.name[:80]} {repr(call.arguments)[:500]}: no such tool was offered"


def _refused(turn: TurnRecord) -> list[str]:
    """What a model wanted of a turn and was refused: tools, effects that it proposed, commands that it read into free speech."""
    wishes = [each["refused"] for each in turn.inputs.get("models", ()) if "refused" in each]
    told = [f"{each['tool']} {each['arguments']}: {each['why']}" for each in wishes]
    for action in turn.outcome["actions"]:
        if action["status"] == "refused":
            told += [f"{line}: {action['reason']}" for line in turn.inputs.get("proposed", ())]
            told += [f"{_shown(action)}: {action['reason']}"] if turn.inputs.get("as") else []
    return told


@asynccontextmanager
async def closing(solver: System) -> AsyncGenerator[Solver]:
    """The solver, which is closed in the end."""
    try:
        yield solver
    finally:
        await solver.close()


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """With a model or without."""
    async with closing(System(needs)) as solver:
        yield solver
