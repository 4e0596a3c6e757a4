"""Owns the bare model: tools that change the state, the rules as pages in its prompt, and no referee.

It is the baseline that shows what rules are worth: types are checked, nothing else is, and what it does is judged by `evals.oracle` afterwards.
It must not know how results are compared. docs/evaluators/solvers.md says all that it is given.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from agents.models import Model, Tool, ToolCall
from evals.attempts import Attempt, Step, plain
from evals.cases import Case
from evals.environment import PLAYER, Environment, differences
from evals.oracle import Follower
from evals.solvers import Needs, Solver, SolverError
from evals.solvers.acting import FINISH, PAGES, WORDS, acted, function, prompt
from kb.expressions.frame import EvaluationError
from kb.referee import Refused, State, Turn
from kb.referee.shape import HIDDEN, TEMPLATE
from kb.types import LIST_LIMIT
from storage.records import Json

ORDER = """You run this world. It is kept as data, which you change with your tools: there is no program that knows its rules, only you.
Do what the user asks for exactly as the pages have it: look at what you need, check every condition, then write every change that the rule
makes, to the thing itself and to others, and finish. What the pages do not allow, or not now, you do not do: change nothing and finish with
`refused` and the reason. Call one tool at a time. Ids and fields are those that `look` shows."""
MOST = 100
"""Ids that a tool's schema names."""
KINDS = ("string", "number", "boolean", "array", "object")
VALUE: Json = {"anyOf": [{"type": each} for each in KINDS], "description": "In the form that `look` shows."}


class Data:
    """`Hands` that write to the state itself."""

    def __init__(self, case: Case, at: Environment):
        state = at.begin(case).state
        self._at, self._case = at, case
        self._follower = Follower(at, PLAYER, state, partial(at.inputs, case))

    @property
    def state(self) -> State:
        return self._follower.state

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Generic ones, for the things that there are."""
        ids = list(self.state.rows)
        named: Json = {**WORDS, "enum": ids} if len(ids) <= MOST else WORDS
        return _tools(named, [*self.state.shape.rulebook.templates, *self.state.shape.rulebook.kinds])

    def seen(self) -> str:
        """The player, and what is where they are."""
        row = self.state.rows[PLAYER]
        near = [id for id, each in self.state.rows.items() if each.get("location") in (row["location"], PLAYER)]
        return "\n".join(
            self._fields(id) for id in dict.fromkeys((PLAYER, row["location"], *near)) if id in self.state.rows
        )

    def hears(self, line: str) -> None:
        """What the user says is what they may do; what was begun for the line before is over."""
        self._follower.rest()
        self._follower.said = (line, *self._case.gold)

    async def does(self, call: ToolCall) -> tuple[Step, str]:
        """A look, or a write that is judged."""
        says = f"{call.name} {json.dumps(call.arguments, ensure_ascii=False, default=str)}"
        try:
            if call.name == "look":
                told = self._look(call.arguments)
                step = Step(says, "", "answered", "solver", lines=tuple(told.splitlines()), hash=self.state.hash)
                return step, told
            before = self.state
            turn = Turn(before, self._at.session.referee.derivations, PLAYER, self._at.inputs(self._case, 0))
            answer = _WRITES[call.name](turn, call.arguments)
            after = turn.finish()
        except (Refused, EvaluationError, KeyError, TypeError, ValueError, AttributeError) as error:
            why = error.reason if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
            told = f"Not done: {why}"
            return Step(says, told, "refused", "solver", reason=why, hash=self.state.hash), told
        illegal = tuple(self._follower.wrote(after)) if after.hash != before.hash else ()
        changed: list[Json] = [
            {"id": each.id, "field": each.field, "before": plain(each.one), "after": plain(each.other)}
            for each in differences(before, after)
        ]
        judged = Step(says, answer, "done", "solver", changes=tuple(changed), attempted=illegal, executed=illegal)
        return replace(judged, hash=self.state.hash), answer

    def ended(self, attempt: Attempt) -> Attempt:
        """How many legal actions were done whole, and how many were left half done."""
        self._follower.rest()
        extra = {"legal_actions": float(self._follower.done), "half_done": float(len(self._follower.half_done))}
        return replace(attempt, extra=extra)

    def _look(self, given: Json) -> str:
        id = given.get("id")
        if not id:
            kinds: dict[str, list[str]] = {}
            for each, row in self.state.rows.items():
                kinds.setdefault(row["kind"], []).append(each)
            return "\n".join(f"{kind}: {', '.join(ids)}" for kind, ids in kinds.items())
        return self._fields(id) if id in self.state.rows else f"There is no {id!r}."

    def _fields(self, id: str) -> str:
        """A thing with all its fields, as JSON."""
        row = self.state.rows[id]
        types = self.state.shape.types[row[TEMPLATE]]
        fields = {name: types[name].dump(value) for name, value in row.items() if name not in HIDDEN}
        return f"{id} ({row['kind']}): {json.dumps(fields, ensure_ascii=False, default=str)}"


def _tools(id: Json, templates: list[str]) -> tuple[Tool, ...]:
    made: Json = {**WORDS, "enum": templates}
    return (
        function("look", "All fields of a thing; without an id, the ids of all things by kind.", (), id=id),
        function("set", "Sets a field of a thing.", ("id", "field", "value"), id=id, field=WORDS, value=VALUE),
        function("move", "Puts a thing, or the player, into another thing or a place.", ("id", "to"), id=id, to=id),
        function("create", "Makes a new thing from a page or kind; gives its id.", ("template",), template=made, to=id),
        function("remove", "Removes a thing.", ("id",), id=id),
        FINISH,
    )


def _set(turn: Turn, given: Json) -> str:
    if given["field"] == "location":
        return _move(turn, {"id": given["id"], "to": given["value"]})
    turn.write(given["id"], given["field"], given["value"], "set")
    return "It is set."


def _move(turn: Turn, given: Json) -> str:
    id, to = given["id"], given["to"]
    if to and to not in turn.rows:
        raise Refused("That is not there.", f"there is no {to!r}")
    turn.write(id, "location", to, "move")
    # Where players have been is the engine's own bookkeeping, which no rule tells.
    if turn.isa(id, "player") and turn.isa(to, "place") and to not in (been := turn.rows[id]["visited"]):
        turn.write(id, "visited", (*been, to)[:LIST_LIMIT], "move")
    return "It is moved."


def _create(turn: Turn, given: Json) -> str:
    template, to = given["template"], given.get("to") or ""
    fresh = turn.shape.fresh[template]
    if to and to not in turn.rows:
        raise Refused("That is not there.", f"there is no {to!r}")
    if turn.shape.isa[template] & {"player", "world"}:
        raise Refused("That cannot be made.", f"there is one {template} alone")
    number = next(each for each in range(1, len(turn.rows) + 2) if f"{template}-{each}" not in turn.rows)
    id = f"{template}-{number}"
    turn.add_instance({**fresh, "id": id, **({"location": to} if "location" in fresh else {})})
    return f"It is made: {id}"


def _remove(turn: Turn, given: Json) -> str:
    id = given["id"]
    if id not in turn.rows or id == "world" or turn.isa(id, "player") or turn.index["location"].get(id):
        raise Refused(
            "That cannot be removed.", f"{id!r} is not there, or something is in it, or it is the player or the world"
        )
    turn.remove_instance(id)
    return "It is removed."


_WRITES: dict[str, Callable[[Turn, Json], str]] = {
    "set": _set,
    "move": _move,
    "create": _create,
    "remove": _remove,
}


class Bare:
    """Asks a model what to write."""

    def __init__(self, model: Model, pages: int = PAGES):
        self._model, self._pages = model, pages

    async def solve(self, case: Case, at: Environment, epoch: int) -> Attempt:
        return await acted(case, self._model, Data(case, at), prompt(at, ORDER, self._pages))


@asynccontextmanager
async def opened(needs: Needs) -> AsyncGenerator[Solver]:
    """Needs a model."""
    if needs.model is None:
        raise SolverError("`bare` needs a model", "Name one with `--model`.")
    yield Bare(needs.model)
