"""Owns what a player may perceive, as data, and what they could do now.

`view(session, state, player)` is all that a client or a model is ever shown; `legal` lists commands that would be allowed.
Ids never leave. It must not change state.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from kb.expressions.frame import EvaluationError
from kb.referee import Action, Referee, State, Turn
from kb.rulebook import Pattern, Role
from kb.session import Session
from kb.types import Choice, Ref

MAX_TRIED = 600


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
        lit = _safe(turn, room, "lit") is not False or "lit" not in session.referee.derivations.of("place")
        seen["room"] = _named(state, room) if lit else "Darkness"
        seen["description"] = _safe(turn, room, "description") if lit else ""
        seen["exits"] = sorted(state.rows[room].get("exits", {})) if lit else []
        seen["things"] = [
            _named(state, id)
            for id in perceived(session.referee, turn)
            if id not in (room, player) and not _held(state, id, player)
        ]
    return seen


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


def legal(session: Session, state: State, player: str, limit: int = 50) -> list[str]:
    """Commands that would be allowed now, by what their conditions tell."""
    if state.rows[player]["ended"]:
        return []
    turn = session.referee.frame(state, player)
    here = perceived(session.referee, turn)
    found: list[str] = []
    tried = 0
    for action in session.rulebook.actions.values():
        pattern = action.patterns[0]
        options = [list(_values(session, state, here, role)) for role in pattern.parts if isinstance(role, Role)]
        if any(role.required and not role.in_pattern for role in action.roles.values()):
            continue
        for values in product(*options):
            tried += 1
            if tried > MAX_TRIED or len(found) >= limit:
                return found
            names = [part.name for part in pattern.parts if isinstance(part, Role)]
            roles = {name: value for name, (value, _) in zip(names, values, strict=True)}
            if session.referee.allowed(state, player, Action(action.id, roles)):
                found.append(_written(pattern, [word for _, word in values]))
    return found


def _values(session: Session, state: State, here: list[str], role: Role) -> Iterable[tuple[Any, str]]:
    """(value, word) pairs that a role could take."""
    if isinstance(role.type, Ref):
        for id in here:
            if any(state.rows[id]["kind"] in state.shape.within.get(kind, ()) for kind in role.type.kinds):
                yield id, _named(state, id).casefold()
    elif isinstance(role.type, Choice):
        yield from ((option, option) for option in role.type.options if option)


def _written(pattern: Pattern, words: list[str]) -> str:
    left = iter(words)
    return " ".join(part if isinstance(part, str) else next(left) for part in pattern.parts)


def completions(session: Session, state: State, player: str, prefix: str) -> list[str]:
    """Legal commands that begin with what is typed."""
    start = prefix.casefold().lstrip()
    return [command for command in legal(session, state, player, 200) if command.startswith(start)]
