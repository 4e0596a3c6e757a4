"""Owns what a player may perceive, as data, and what they could do now.

`view(session, state, player)` is all that a client or a model is ever shown; `legal` lists commands that would be allowed,
`templates` those with a hole for a value.
Ids never leave. It must not change state.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice, product, takewhile
from typing import Any

from kb.expressions.frame import EvaluationError
from kb.referee import Action, Referee, State, Turn
from kb.referee.shape import TEMPLATE
from kb.rulebook import ActionType, Role
from kb.session import Session
from kb.types import Choice, Ref

MAX_TRIED = 600
MAX_ALIKE = 60
"""How many things are tried with one wording."""
MAX_SOUGHT = 2_000
"""Things of a kind that are looked through for what is named."""


def view(session: Session, state: State, player: str) -> dict[str, Any]:
    """The room, what is in sight and in hand, exits, quests, score, time; JSON."""
    turn = session.referee.frame(state, player)
    row = state.rows[player]
    rulebook = session.rulebook
    room = turn.vars["room"]
    seen: dict[str, Any] = {
        "world": rulebook.settings.name,
        "score": row["score"],
        "max_score": rulebook.settings.max_score,
        "turns": row["turns"],
        "time": state.rows["world"]["time"].strftime("%Y-%m-%d %H:%M"),
        "ended": row["ended"] or None,
        "inventory": [_named(state, id) for id in turn.derived(player, "inventory")],
        "quests": {
            rulebook.workflows[id].name: status for id, status in row["quests"].items() if id in rulebook.workflows
        },
    }
    if room:
        lit = _lit(session, turn, room)
        seen["room"] = _named(state, room) if lit else "Darkness"
        seen["description"] = _safe(turn, room, "description") if lit else ""
        seen["exits"] = sorted(state.rows[room].get("exits", {})) if lit else []
        seen["things"] = [
            _named(state, id)
            for id in perceived(session.referee, turn)
            if id not in (room, player) and not _held(state, id, player)
        ]
    return seen


def explored(session: Session, state: State, player: str) -> list[dict[str, Any]]:
    """The places that the player has been to, in that order: `name`, whether the player is `here`, and `exits`, which place
    of this list is in each direction; None: one where they have not been. Of a place that is dark now no exits are told."""
    turn = session.referee.frame(state, player)
    row = state.rows[player]
    visited = [id for id in dict.fromkeys((*row["visited"], row["location"])) if id in state.rows]
    number = {id: at for at, id in enumerate(visited)}
    return [
        {
            "name": _named(state, id) if _lit(session, turn, id) else "Darkness",
            "here": id == row["location"],
            "exits": {
                way: number.get(to)
                for way, to in sorted(state.rows[id].get("exits", {}).items())
                if _lit(session, turn, id)
            },
        }
        for id in visited
    ]


def _lit(session: Session, turn: Turn, place: str) -> bool:
    """Whether one sees something there; in worlds without light, always."""
    return _safe(turn, place, "lit") is not False or "lit" not in session.referee.derivations.of("place")


def _held(state: State, id: str, player: str) -> bool:
    return state.rows[id].get("location") == player


def _named(state: State, id: str) -> str:
    return str(state.rows[id].get("name") or id)


def _safe(turn: Turn, id: str, field: str) -> Any:
    try:
        return turn.derived(id, field)
    except EvaluationError:
        return None


def perceived(referee: Referee, turn: Turn) -> list[str]:
    """Ids of what the player perceives; for use inside only."""
    return [id for id in referee.reach.of(turn, "thing") if _safe(turn, id, "perceivable") is True]


def legal(session: Session, state: State, player: str, limit: int = 50, prefix: str = "") -> list[str]:
    """Commands that would be allowed now, by what their conditions tell: simple ones first, each thing to do once.

    With a `prefix`: in whichever of an action's wordings begins so.
    """
    return [each.line for each in islice(_allowed(session, state, player, prefix, holes=False), limit)]


def templates(session: Session, state: State, player: str, limit: int = 50, prefix: str = "") -> list[str]:
    """What would be allowed with values that only the player knows: `bet <stake: int 1..10>`, `ask otto about <text>`;
    where words alone cannot give every argument, `return-book {"loan": "<loan>", "condition": "<one of good, damaged>"}`."""
    return [each.line for each in islice(_allowed(session, state, player, prefix, holes=True), limit)]


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that would be allowed: `line` is what to type, `values` the words for each role of it, and `asks` the types of
    those that only the player knows, for which the line has `<…>`."""

    line: str
    verb: str
    """Its words without the values: `put in`."""
    values: Mapping[str, str]
    asks: Mapping[str, str]
    rule: str
    """The id of its last rule."""
    action: Action
    """What it does; of roles that only the player knows, with the zeros of their types."""
    way: _Way

    def names(self, words: Set[str]) -> int:
        """How many of the words it has, in its verb or in a value that it lists."""
        own = (word for role, word in self.values.items() if role not in self.asks)
        return len(words & words_of(" ".join((self.verb, *own))))

    def said(self, told: Mapping[str, str]) -> str:
        """The line with what it asks for."""
        return self.way.written([told.get(name, word) for name, word in self.values.items()])


def offers(session: Session, state: State, player: str, limit: int = 100, words: Set[str] = frozenset()) -> list[Offer]:
    """What `legal` and `templates` tell, as data; what has one of the `words` in its verb or a name comes first."""
    closed = islice(_allowed(session, state, player, "", False, words), limit)
    return [*closed, *islice(_allowed(session, state, player, "", True, words), limit)]


def completions(session: Session, state: State, player: str, prefix: str) -> list[str]:
    """What goes on from what is typed: legal commands, and templates as far as their first hole."""
    start = prefix.casefold().lstrip()
    begun = (re.split("[<{]", each)[0] for each in templates(session, state, player, 200, start))
    found = [*legal(session, state, player, 200, start), *(each for each in begun if each.startswith(start))]
    return list(dict.fromkeys(found))


def _allowed(
    session: Session, state: State, player: str, prefix: str, holes: bool, words: Set[str] = frozenset()
) -> Iterator[Offer]:
    """One command of each action in turn, so that no action with many things crowds the others out."""
    if state.rows[player]["ended"]:
        return
    turn = session.referee.frame(state, player)
    here, tries = perceived(session.referee, turn), iter(range(MAX_TRIED))
    actions = [
        [w for w in _ways(session, each) if bool(w.unknown) is holes] for each in session.rulebook.actions.values()
    ]
    simple = sorted(
        (ways for ways in actions if ways),
        key=lambda ways: (not any(way.has(words) for way in ways), len(ways[0].roles)),
    )
    waiting = deque(_of_action(session, state, player, prefix, here, tries, ways, words) for ways in simple)
    told: set[str] = set()
    while waiting:
        action = waiting.popleft()
        offer = next(action, None)
        if offer is None:
            continue
        waiting.append(action)
        if offer.line not in told:
            told.add(offer.line)
            yield offer


def _of_action(
    session: Session,
    state: State,
    player: str,
    prefix: str,
    here: list[str],
    tries: Iterator[int],
    ways: list[_Way],
    words: Set[str],
) -> Iterator[Offer]:
    """An action's commands, each thing that it can do in its first wording that fits."""
    told: set[str] = set()
    for way in ways:
        if not way.may_begin(prefix):
            continue
        options = [way.values(session, state, here, role, words) for role in way.roles]
        named = [[each for each in several if each[2]] or several for several in options]
        # What is named goes with all else before all else goes with each other.
        several = [named, options] if words and named != options else [options]
        for values in chain.from_iterable(islice(product(*each), MAX_ALIKE) for each in several):
            roles = {**way.fixed, **{role.name: value for role, (value, _, _) in zip(way.roles, values, strict=True)}}
            called = [word for _, word, _ in values]
            text, effect = way.written(called), repr(sorted(roles.items()))
            if effect in told or not text.startswith(prefix):
                continue
            if next(tries, None) is None:
                return
            action = Action(way.action, roles)
            if session.referee.allowed(state, player, action, unknown=way.unknown):
                told.add(effect)
                yield way.offer(text, called, action)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to give an action: a pattern's words, or (`parts` empty) its rule's id and the arguments as JSON."""

    action: str
    rule: str
    parts: tuple[str | Role, ...]
    roles: tuple[Role, ...]
    fixed: Mapping[str, Any]
    unknown: frozenset[str]
    """The roles whose values only the player knows."""

    def may_begin(self, prefix: str) -> bool:
        """Whether the words before the first role fit what is typed."""
        head = " ".join(map(str, takewhile(lambda part: isinstance(part, str), self.parts))) or self.rule * (
            not self.parts
        )
        return head.startswith(prefix) or prefix.startswith(head)

    def has(self, words: Set[str]) -> bool:
        """Whether one of the words is in its verb."""
        return any(part in words for part in self.parts) if self.parts else bool(words & words_of(self.rule))

    def values(
        self, session: Session, state: State, here: list[str], role: Role, words: Set[str]
    ) -> list[tuple[Any, str, int]]:
        """What a role could take: the value, what it is called, and how many of the words are in its names, the most first."""
        if role.name in self.unknown:
            shown = str(role.type) if role.name == str(role.type) or not self.parts else f"{role.name}: {role.type}"
            return [(role.type.zero(), f"<{shown}>", 0)]
        if isinstance(role.type, Choice):
            chosen = [(option, option, option in words) for option in role.type.options if option]
            return sorted(chosen, key=lambda each: -each[2])
        kinds = role.type.kinds if isinstance(role.type, Ref) else ()
        within = {below for kind in kinds for below in state.shape.within.get(kind, ())}
        abstract = [kind for kind in kinds if "perceivable" not in session.referee.derivations.of(kind)]

        def named(id: str) -> int:
            """How many of the words are in its names; what stands nowhere is also known by what it is about, as a loan is."""
            about = (each for each in state.rows[id].values() if isinstance(each, str) and each in state.rows)
            other = () if id in here else about
            return len(words & names_of(state, id).union(*(names_of(state, each) for each in other)))

        ids = [id for id in here if state.rows[id]["kind"] in within]
        for kind in abstract:
            sought = islice(state.every(kind), MAX_SOUGHT if words else MAX_ALIKE)
            ids += sorted(sought, key=lambda id: -named(id))[:MAX_ALIKE] if words else sought
        found = [(id, _named(state, id).casefold(), named(id) if words else 0) for id in ids]
        return sorted(found, key=lambda each: -each[2])

    def offer(self, line: str, words: list[str], action: Action) -> Offer:
        """A line that gives it with these words."""
        asks = {role.name: str(role.type) for role in self.roles if role.name in self.unknown}
        verb = " ".join(part for part in self.parts if isinstance(part, str)) or self.rule
        values = {role.name: word for role, word in zip(self.roles, words, strict=True)}
        return Offer(line, verb, values, asks, self.rule, action, self)

    def written(self, words: list[str]) -> str:
        """The line that says it."""
        if not self.parts:
            given = dict(zip((role.name for role in self.roles), words, strict=True))
            return f"{self.rule} {json.dumps(given, ensure_ascii=False)}"
        left = iter(words)
        return " ".join(part if isinstance(part, str) else next(left) for part in self.parts)


def _ways(session: Session, action: ActionType) -> list[_Way]:
    """Every wording of an action; its JSON form alone where no wording gives all that it needs."""
    required = tuple(role for role in action.roles.values() if role.required)
    rule = action.rules[-1] if action.rules else action.id
    if not all(role.in_pattern for role in required):
        return [_Way(action.id, rule, (), required, {}, frozenset(role.name for role in required))]
    found: list[_Way] = []
    for pattern in action.patterns:
        roles = tuple(part for part in pattern.parts if isinstance(part, Role))
        unknown = frozenset(role.name for role in roles if not isinstance(role.type, Ref | Choice))
        found.append(_Way(action.id, rule, pattern.parts, roles, pattern.fixed, unknown))
    return found


@lru_cache(maxsize=16_384)
def words_of(text: str) -> frozenset[str]:
    """The words of a text, in small letters."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def names_of(state: State, id: str) -> frozenset[str]:
    """The words of all that something is called."""
    return words_of(" ".join((_named(state, id), *(state.rows[id].get("aliases") or ()))))


def people(session: Session, state: State, player: str) -> list[dict[str, str]]:
    """The NPCs that the player perceives, in order of creation: `name`, `description`, and `voice` where their page has one."""
    turn = session.referee.frame(state, player)
    agents = session.rulebook.agents
    return [
        {
            "name": _named(state, id),
            "description": str(_safe(turn, id, "description") or ""),
            "voice": agents[template].voice if (template := state.rows[id][TEMPLATE]) in agents else "",
        }
        for id in session.referee.reach.of(turn, "npc")
        if _safe(turn, id, "perceivable") is True
    ]
