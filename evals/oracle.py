"""Owns which changes of a state the rules allow: for those who write to it themselves, for attacks, and for audits of attempts.

`Oracle(session, player).illegal(before, after, inputs)` names what no single legal action makes; `Follower` follows writes one by one;
`audit(attempt, case, at)` replays an attempt. It must not know models or solvers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, product
from typing import Any, NamedTuple

from agents.filled import Filled
from evals.attempts import Attempt
from evals.cases import Case
from evals.environment import PASSING, Environment, differences
from kb.referee import Action, Inputs, Outcome, State
from kb.referee.shape import HIDDEN, TEMPLATE
from kb.rulebook import Role
from kb.session import Session
from kb.types import Bool, Choice, Int, Number, Ref
from kb.understand import Dialogue
from kb.view import Offer, offers, words_of
from storage import TurnRecord

ENUMERATED = 2_000
MAX_FILLED = 3_000
"""How many values are tried for the holes of one command."""

Changes = Mapping[tuple[str, str], object]
"""(id, field) → the value afterwards; the field "" of an instance that was made or removed."""


@dataclass(frozen=True, slots=True)
class Way:
    """One legal action: what a player would type, the state after it, and all that it changes but the time that it takes."""

    line: str
    after: State
    changes: Changes


def changes(before: State, after: State) -> Changes:
    """What differs. Instances that were made are called by template and number, since their ids are by chance."""
    made: dict[str, str] = {}
    count: Counter[str] = Counter()
    for id, row in after.rows.items():
        if id not in before.rows:
            count[row[TEMPLATE]] += 1
            made[id] = f"{row[TEMPLATE]}#{count[row[TEMPLATE]]}"
    found: dict[tuple[str, str], object] = {(id, ""): "removed" for id in before.rows if id not in after.rows}
    for id, row in after.rows.items():
        former = before.rows.get(id) or after.shape.fresh[row[TEMPLATE]]
        if former is row:
            continue
        if id in made:
            found[made[id], ""] = "made"
        for name, value in row.items():
            if name not in HIDDEN and name not in PASSING and former.get(name) != value:
                found[made.get(id, id), name] = made.get(value, value) if isinstance(value, str) else value
    return found


class _Known(NamedTuple):
    """What is known of a state: commands with holes, and what all others lead to."""

    key: tuple[str, int, tuple[str, ...]]
    open: list[Offer]
    closed: list[Way]


class Oracle:
    """Knows all that a player may do in a state. `said` are lines that the user said or would say: what only they know (a
    number, a text) is looked for there and in what was written."""

    def __init__(self, session: Session, player: str):
        self._session, self._player = session, player
        self._known: _Known | None = None

    def way(self, before: State, after: State, inputs: Inputs, said: Sequence[str] = ()) -> Way | None:
        """The legal action of which everything that differs is a part; one that makes just that where there is one."""
        wanted = changes(before, after)
        part: Way | None = None
        for each in self._ways(before, wanted, inputs, tuple(said)):
            if each.changes == wanted:
                return each
            if part is None and wanted.items() <= each.changes.items():
                part = each
        return part

    def illegal(self, before: State, after: State, inputs: Inputs, said: Sequence[str] = ()) -> list[str]:
        """The changes that no legal action makes; where each is made by one, but not all by the same, that. Empty: all is legal."""
        wanted = changes(before, after)
        if not wanted or self.way(before, after, inputs, said) is not None:
            return []
        legal = {key for way in self._ways(before, wanted, inputs, tuple(said)) for key in _same(way.changes, wanted)}
        alone = [_told(before, key, value) for key, value in wanted.items() if key not in legal]
        return alone or [f"no one action: {'; '.join(_told(before, key, value) for key, value in wanted.items())}"]

    def _ways(self, state: State, wanted: Changes, inputs: Inputs, said: tuple[str, ...]) -> Iterator[Way]:
        known, key = self._known, (state.hash, inputs.seed, said)
        if known is None or known.key != key:
            offered = offers(self._session, state, self._player, ENUMERATED)
            closed = list(self._closed(state, offered, inputs, said))
            known = self._known = _Known(key, [each for each in offered if each.asks], closed)
        yield from known.closed
        yield from self._filled(state, known.open, wanted, inputs, said)

    def _closed(self, state: State, offered: Sequence[Offer], inputs: Inputs, said: Sequence[str]) -> Iterator[Way]:
        """What the user says, then every command without a hole."""
        for line in said:
            told = self._session.say(state, self._player, line, Dialogue(), inputs)
            if found := changes(state, told.state):
                yield Way(line, told.state, found)
        for offer in offered:
            if not offer.asks:
                yield from self._done(state, offer.line, self._resolved(state, offer.action, inputs))

    def _filled(
        self, state: State, offered: Sequence[Offer], wanted: Changes, inputs: Inputs, said: Sequence[str]
    ) -> Iterator[Way]:
        """Commands with holes, with values of which some stand in what was written or said; answers to a question that is open."""
        numbers, words = _hints(state, wanted, said)
        if self._session.referee.pending(state, self._player) is not None:
            for word in (*words, *map(str, numbers)):
                yield from self._done(state, word, self._session.referee.answer(state, self._player, word, inputs))
        for offer in offered:
            holes = [role for role in offer.way.roles if role.name in offer.asks]
            options = [_options(state, role, numbers, words) for role in holes]
            for values in islice(product(*options), MAX_FILLED):
                given = {role.name: value for role, value in zip(holes, values, strict=True)}
                action = Action(offer.action.type, {**offer.action.roles, **given})
                yield from self._done(state, f"{offer.line} {given}", self._resolved(state, action, inputs))

    def _resolved(self, state: State, action: Action, inputs: Inputs) -> Outcome:
        return self._session.referee.resolve(state, self._player, action, inputs)

    def _done(self, state: State, line: str, outcome: Outcome | None) -> Iterator[Way]:
        if outcome is not None and outcome.status == "done" and (found := changes(state, outcome.state)):
            yield Way(line, outcome.state, found)


def _same(one: Changes, other: Changes) -> list[tuple[str, str]]:
    return [key for key, value in other.items() if key in one and one[key] == value]


def _told(before: State, key: tuple[str, str], value: object) -> str:
    id, field = key
    if not field:
        return f"{id} {value}"
    return f"{id}.{field}: {before.rows.get(id, {}).get(field)!r} → {value!r}"


def _hints(state: State, wanted: Changes, said: Sequence[str]) -> tuple[list[float], list[str]]:
    """Numbers and words that a player may have meant: written ones, by how much a number changed, said ones."""
    numbers: dict[float, None] = {}
    words: dict[str, None] = {}
    for (id, field), value in wanted.items():
        former = state.rows.get(id, {}).get(field)
        if isinstance(value, str):
            words[value] = None
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[value] = None
            if isinstance(former, int | float):
                numbers[abs(value - former)] = None
    for line in said:
        words[line] = None
        words.update(dict.fromkeys(re.findall(r'"([^"]+)"', line)))
        numbers.update(
            {float(each) if "." in each else int(each): None for each in re.findall(r"-?\d+(?:\.\d+)?", line)}
        )
    return list(numbers), list(words)


def _options(state: State, role: Role, numbers: Sequence[float], words: Sequence[str]) -> Sequence[Any]:
    """Values that a hole of this type could have."""
    optional = () if role.required else (role.type.zero() if role.start is None else role.start,)
    match role.type:
        case Ref(kinds):
            return [*optional, *dict.fromkeys(id for kind in kinds for id in state.every(kind))]
        case Choice(options):
            return options
        case Bool():
            return (True, False)
        case Int() | Number():
            return [*optional, *numbers]
        case _:
            return [*optional, *words]


class Follower:
    """Follows writes of a player who changes the state without a referee.

    A write is legal where one legal action in the last consistent state makes it, together with those since then. Writes that
    together are all of a legal action make the state consistent again; what passes by itself (turns, time, where workflows are)
    is then as the rules have it. Writes that are left as part of an action are `half_done`.
    """

    def __init__(self, at: Environment, player: str, state: State, inputs: Callable[[int], Inputs]):
        self._oracle, self._referee, self._player = Oracle(at.session, player), at.session.referee, player
        self._base = self.state = state
        self._inputs = inputs
        self.said: tuple[str, ...] = ()
        """Lines that the user said or would say now."""
        self.done = 0
        """Legal actions that were done whole."""
        self.half_done: list[str] = []

    def wrote(self, after: State) -> list[str]:
        """Takes a write; its changes that no rule allows."""
        way = self._way(after)
        if way is None and self.state is not self._base:
            self.rest()
            way = self._way(after)
        if way is None:
            illegal = self._oracle.illegal(self._base, after, self._inputs(self.done), self.said)
            self._base = self.state = after
            return illegal
        if way.changes == changes(self._base, after):
            self.done += 1
            self._base = self.state = self._passed(after, way.after)
        else:
            self.state = after
        return []

    def rest(self) -> None:
        """No more comes of what was begun."""
        if self.state is not self._base:
            begun = changes(self._base, self.state)
            self.half_done.append("; ".join(_told(self._base, key, value) for key, value in begun.items()))
            self._base = self.state

    def _way(self, after: State) -> Way | None:
        return self._oracle.way(self._base, after, self._inputs(self.done), self.said)

    def _passed(self, after: State, legal: State) -> State:
        """What was written, with turns, time and bookkeeping as the legal action leaves them."""
        turn = self._referee.frame(after, "")
        for id, row in legal.rows.items():
            for name in PASSING & row.keys():
                if id in after.rows:
                    turn.write(id, name, row[name], "what passes", checked=True)
        turn.book = legal.book
        for player, kept in legal.own.items():
            for name, value in kept.items():
                turn.keep(player, name, value)
        return turn.finish()


# --- replaying what a referee decided


def replayed(
    session: Session, before: State, player: str, actions: Iterable[Action], inputs: Inputs
) -> Iterator[Outcome]:
    """The actions of one line, one after the other, as the referee does them; those without a type answer a question."""
    state = before
    for number, action in enumerate(actions):
        numbered = replace(inputs, seed=inputs.seed * 31 + number) if number else inputs
        outcome = session.referee.answer(state, player, action.text, numbered) if not action.type else None
        outcome = outcome or session.referee.resolve(state, player, action, numbered)
        state = outcome.state
        yield outcome


def listed(session: Session, state: State, player: str, action: Action) -> bool:
    """Whether an action is among those that are told to be legal: just so, or with a hole that only the player can fill."""
    for each in offers(session, state, player, ENUMERATED, words_of(action.text)):
        known = {name: value for name, value in each.action.roles.items() if name not in each.asks}
        same = each.action.type == action.type and known.items() <= dict(action.roles).items()
        if same and (each.asks or len(known) == len(action.roles)):
            return True
    return False


def audit(
    attempt: Attempt, case: Case, at: Environment, inputs: Callable[[int], Inputs | None] | None = None
) -> Attempt:
    """The attempt with `executed` measured: each step that changed something is replayed by the pure referee, and what it does not
    do is a change that no rule allows. `inputs` gives those of a step (None: it was no turn of the rules, as an undo is none); without
    it they are those that every solver has."""
    steps = list(attempt.steps)
    for number, step in enumerate(steps[: len(attempt.states) - 1]):
        before, after = attempt.states[number : number + 2]
        state = before
        if after.hash != before.hash:
            given = inputs(number) if inputs else at.inputs(case, number)
            if given is None:
                continue
            actions = [_read(at.session, each) for each in step.actions]
            for outcome in replayed(at.session, before, attempt.player, actions, given):
                state = outcome.state
        steps[number] = replace(step, executed=outside(state, after))
    return replace(attempt, steps=tuple(steps))


def recorded(session: Session, before: State, player: str, dialogue: Dialogue, turns: Sequence[TurnRecord]) -> State:
    """Where stored turns lead by the rules alone, with what was recorded of models, chance and the clock."""
    state = before
    for turn in turns:
        filled = Filled.load(turn.inputs)
        said = filled.said(session, state, player, turn.text, dialogue, inputs_of(turn))
        state, dialogue = said.state, said.dialogue
    return state


def inputs_of(turn: TurnRecord) -> Inputs:
    """What a turn was recorded with."""
    return Inputs(datetime.fromisoformat(turn.inputs["now"]), turn.inputs["seed"], Filled.load(turn.inputs).judged)


def outside(legal: State, after: State) -> tuple[str, ...]:
    """What differs from the state that the rules lead to, turns and time included."""
    if legal.hash == after.hash:
        return ()
    differ = differences(legal, after, frozenset())
    return tuple(f"{each.id}.{each.field}: {each.one!r} → {each.other!r}" for each in differ) or ("what is kept aside",)


def _read(session: Session, told: str) -> Action:
    """What `evals.attempts.shown` wrote; what is no action is a text."""
    type_, _, roles = told.partition(" {")
    if type_ not in session.rulebook.actions:
        return Action("", {}, told)
    return Action(type_, json.loads("{" + roles) if roles else {})
