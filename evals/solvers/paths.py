"""Owns single paths of the system, each of which every message is made to take: what each is worth alone, and what it costs.

They are the router's own parts, called in its place or with its other parts left out. docs/evaluators/solvers.md says when which is of use.
It must not know scorers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from agents.access import Refused
from agents.filled import NOTHING, Filled
from agents.freeform import Freeform
from agents.game import Game, GameService, Reply
from agents.knowledge.errors import KnowledgeError
from agents.models import Model, ModelError
from agents.teams import TeamError
from agents.teams.service import teams_of
from agents.worlds import Where
from evals.solvers import Needs, Solver, SolverError
from evals.solvers.seated import Seated
from evals.solvers.system import System, Way, closing
from kb.session import Said
from router import Answered, Router
from router.labels import Label, Labels
from router.prompt import Scene, request, scene_of
from router.router import DEADLINE
from router.tools import Offered, persona_of
from rulebound.answering import Mode


class _Unread(GameService):
    """Games in which no rule understands what is said; commands that a model read into it are."""

    async def consider(self, handle: str, principal: str, text: str, filled: Filled = NOTHING) -> tuple[Game, Said]:
        """As `GameService.consider`."""
        game, said = await super().consider(handle, principal, text, filled)
        return game, said if filled.said_as else replace(
            said, understood=False, question=False, outcomes=(), actions=()
        )

    async def act(self, handle: str, principal: str, text: str = "", **options: Any) -> Reply:
        """As `GameService.act`; a line that no model read is an empty one."""
        read = options.get("filled", NOTHING).said_as
        return await super().act(handle, principal, text if read else "", **options)


class _Unsure(Labels):
    """Examples that settle nothing."""

    def __init__(self) -> None:
        super().__init__(())

    @property
    def ready(self) -> bool:
        """There is nothing to learn."""
        return True

    def of(
        self,
        message: str,
        is_verb: Callable[[str], bool] = lambda _: False,
        is_word: Callable[[str], bool] = lambda _: False,
    ) -> Label:
        """An action, perhaps."""
        return Label("action", 0.0)


def _speech(seated: Seated) -> Way:
    router = Router(seated.games, seated.model, labels=_Unsure(), now=seated.now)

    async def answer(message: str, key: str) -> Answered:
        return await router.answer(seated.asker, message, **seated.named(key))

    return answer


def _direct(seated: Seated) -> Way:
    async def answer(message: str, key: str) -> Answered:
        world, model = seated.at.world, _model(seated)
        persona = persona_of(world.rulebook, seated.case.persona, seated.asker)
        scene = scene_of(await seated.game(), message) if "handle" in seated.named(key) else Scene()
        nothing = Offered((), {}, frozenset())
        try:
            said = await model.chat(
                request(scene, message, nothing, persona, principal=seated.asker.id, model="", deadline=DEADLINE)
            )
        except ModelError as error:
            return Answered("", "help", "call", f"the model gave no answer: {error.kind}")
        return Answered(said.text, "direct", "call", "a model answered itself")

    return answer


def _consulted(mode: Mode) -> Callable[[Seated], Way]:
    def way(seated: Seated) -> Way:
        async def answer(message: str, key: str) -> Answered:
            about = await seated.game() if "handle" in seated.named(key) else seated.at.world
            return await seated.answering.consult(mode, seated.asker, message, about)

        return answer

    return way


def _team(seated: Seated) -> Way:
    """By the case's tag `team`, else by the first that writes nothing."""
    teams, location = seated.answering.teams(seated.knowledge), seated.at.world.where.location
    handle = seated.named("").get("handle", "")
    known = [each.id for each in teams_of(seated.at.world) if not each.needs_draft and (handle or not each.needs_game)]
    chosen = seated.case.tags.get("team") or known[0]

    async def answer(message: str, key: str) -> Answered:
        seen = await seated.knowledge.namespaces(seated.asker)
        world = next(each.name for each in seen if Where.of(each.location).location == location)
        try:
            came = await teams.run(seated.asker, chosen, message, world=world, handle=handle, run_id=key)
        except (TeamError, KnowledgeError, Refused) as error:
            return Answered(f"{error}. {error.hint}", "team", "rules", "the team cannot work on this")
        reason = f"the team {came.team}: {came.status}{came.reason and f', {came.reason}'}"
        return Answered(came.text, "team", "call" if came.model_calls else "rules", reason, came.citations)

    return answer


def _freeform(seated: Seated) -> Way:
    freeform = Freeform(_model(seated))

    async def answer(message: str, key: str) -> Answered:
        filled = await freeform.propose(await seated.game(), message, seated.asker.id)
        if filled is None:
            return Answered("", "help", "rules", "this experience is not free: a model may propose nothing here")
        reply = await seated.games.act(seated.handle, seated.asker.id, message, key=key, filled=filled)
        return Answered(reply.text, "action", "call", "a model proposed it", turn=reply.turn, reply=reply)

    return answer


def _model(seated: Seated) -> Model:
    assert seated.model is not None, "it is not opened without"
    return seated.model


def _opened(
    way: Callable[[Seated], Way], games: type[GameService] = GameService
) -> Callable[[Needs], AbstractAsyncContextManager[Solver]]:
    return lambda needs: closing(System(needs, way, games))


def _with_model(way: Callable[[Seated], Way]) -> Callable[[Needs], AbstractAsyncContextManager[Solver]]:
    def opened(needs: Needs) -> AbstractAsyncContextManager[Solver]:
        if needs.model is None:
            raise SolverError("This path needs a model", "Name one with `--model`.")
        return closing(System(needs, way))

    return opened


speech = _opened(_speech, _Unread)
direct = _with_model(_direct)
knowledge, validate, synthesise = (_opened(_consulted(mode)) for mode in ("decide", "validate", "synthesise"))
team = _opened(_team)
freeform = _with_model(_freeform)
