"""Owns the JSON of a turn's outcome: what is stored for replay and for `why`.

`outcome_of(game, said, notes)`. It must not know how turns are resolved or stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

from kb.referee import Action, Change, Outcome, State
from kb.session import Said
from kb.types import ListOf, Ref, Type
from kb.view import perceived

if TYPE_CHECKING:
    from agents.game import Game


def outcome_of(game: Game, said: Said, notes: Sequence[str]) -> dict[str, Any]:
    """`text`, `status`, `score`, `ended`, `notes`, `changes` by name, and per action what decided it and came of it."""
    row = said.state.rows[game.player]
    return {
        "text": said.text,
        "changes": _changes(game, said),
        "score": row["score"],
        "ended": row["ended"] or None,
        "status": status_of(said),
        "notes": list(notes),
        "actions": [
            action_of(game.world.commit, action, outcome)
            for action, outcome in zip(said.actions, said.outcomes, strict=True)
        ],
    }


def ticked(commit: str, outcome: Outcome) -> dict[str, Any]:
    """As `outcome_of`, for time that passed with nobody acting."""
    action = action_of(commit, Action(""), outcome)
    return {
        "text": "",
        "status": "done",
        "score": 0,
        "ended": None,
        "notes": [],
        "changes": [],
        "actions": [action],
    }


def status_of(said: Said) -> Literal["done", "refused", "question", "not-understood"]:
    """What became of a line."""
    if said.outcomes and all(outcome.status == "refused" for outcome in said.outcomes):
        return "refused"
    return "question" if said.question else "done" if said.understood else "not-understood"


def spent(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """The calls to models of a turn, a line each: `judge by scripted: 1 call, $0.0002, for otto.insulted`."""
    told: list[str] = []
    for each in models:
        by = f" by {each['model']}" if each.get("model") else ""
        calls = each.get("calls", 1)
        answers = f", for {', '.join(each['answers'])}" if each.get("answers") else ""
        failed = f", failed ({each['failed']})" if each.get("failed") else ""
        cost = f"{calls} call{'s' * (calls != 1)}, ${each.get('cost', 0.0):.4f}"
        told.append(f"{each.get('purpose', 'model')}{by}: {cost}{answers}{failed}")
    return told


def action_of(commit: str, action: Action, outcome: Outcome) -> dict[str, Any]:
    """One action: what was done, what decided it, and what came of it, by id."""
    return {
        "action": action.type,
        "values": plain(action.roles),
        "text": action.text,
        "status": outcome.status,
        "rule": outcome.rule,
        "reason": outcome.reason,
        "messages": [{"to": m.to, "text": m.text, "at": _at(m.span, commit)} for m in outcome.messages],
        "events": [{"name": event.name, "values": plain(event.values)} for event in outcome.events],
        "effects": [_by_id(change) for change in outcome.changes],
        "lines": [
            {"kind": line.kind, "at": _at(line.span, commit), "text": line.text, "value": line.value}
            for line in outcome.trace
        ],
    }


def _at(span: Any, commit: str) -> str:
    return f"{span.path}:{span.line}@{commit[:14]}"


def _by_id(change: Change) -> dict[str, Any]:
    return {"id": change.id, "field": change.field, "before": plain(change.before), "after": plain(change.after)}


def _changes(game: Game, said: Said) -> list[dict[str, Any]]:
    """Every change with names for ids, and whether the player could see it."""
    changes = [change for outcome in said.outcomes for change in outcome.changes]
    if not changes:
        return []
    player, referee = game.player, game.world.session.referee
    seen = {player, *perceived(referee, referee.frame(game.state, player))}
    seen.update(perceived(referee, referee.frame(said.state, player)))
    told: list[dict[str, Any]] = []
    for change in changes:
        state = said.state if change.id in said.state.rows else game.state
        kind = state.rows[change.id]["kind"] if change.id in state.rows else ""
        declared = state.rulebook.kinds[kind].fields.get(change.field) if kind else None
        type_ = declared.type if declared else None
        told.append(
            {
                "what": _name(state, change.id),
                "field": change.field,
                "before": _named(game.state, type_, change.before),
                "after": _named(said.state, type_, change.after),
                "seen": change.id in seen,
            }
        )
    return told


def _name(state: State, id: str) -> str:
    return str(state.rows[id].get("name") or id) if id in state.rows else id


def _named(state: State, type_: Type | None, value: Any) -> Any:
    """A value for people: names where the type refers to instances."""
    if isinstance(type_, Ref) and isinstance(value, str):
        return _name(state, value) if value else None
    if isinstance(type_, ListOf) and isinstance(value, tuple):
        return [_named(state, type_.item, each) for each in cast("tuple[Any, ...]", value)]
    return plain(value)


def plain(value: Any) -> Any:
    """A run-time value as JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in cast("Sequence[Any]", value)]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value
