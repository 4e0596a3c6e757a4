"""Owns recorded games as two files have them: what `rulebound play --json` printed, and what `rulebound player export` wrote.

`printed(text, …)` and `exported(data, …)` give games as plain turns. It must not know rules or cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, cast

from agents.worlds import Where
from evals.importers import Problem
from evals.strict_json import MAX_LINE, lines, loads

START: Final = object()
"""A field is as its page begins it."""
_STATE_LINE = 64 * MAX_LINE
"""Characters of a line that holds a whole state."""
Changes = dict[tuple[str, str], Any]
"""By instance and field the value afterwards."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: what was said, what became of it, and the inputs that a replay needs."""

    number: int
    says: str
    status: str
    changes: Changes
    seed: int | None
    now: str = ""
    meant: str = ""
    """The command as which a model read it."""
    judged: bool = False
    """A model's answers counted."""
    at: str = ""


@dataclass(frozen=True)
class Recorded:
    """A game from its beginning."""

    id: str
    where: Where
    at: str
    instance: str = "player"
    role: str = "player"
    turns: list[Said] = field(default_factory=list[Said])


def printed(text: str, file: str, world: str, seed: int, problems: list[Problem]) -> list[Recorded]:
    """The game of a script: lines of JSON, played with `--seed`. Raises `ValueError`."""
    if not world:
        raise ValueError("it does not say which world was played: name it with --world")
    game = Recorded(PurePath(file).stem, Where.of(world), f"{file}:1")
    before: Mapping[str, Any] | None = {}
    last = 0
    for number, line in lines(text):
        at = f"{file}:{number}"
        row = loads(line, _STATE_LINE)
        if not isinstance(row, dict) or not {"turn", "input", "status"} <= row.keys():
            raise ValueError(f"line {number} is no turn as `play --json` prints it")
        told = cast("dict[str, Any]", row)
        turn, says = int(told["turn"]), str(told["input"])
        state = _instances(told)
        if turn == last:
            problems.append(Problem(at, f"{says!r} was about the game and no turn: it is left out", lost=False))
        elif says == "undo":
            game.turns[:] = game.turns[:-1]
            problems.append(Problem(at, "the turn before was taken back: both are left out", lost=False))
        elif turn != last + 1 or says.split(" ")[0] == "restore":
            problems.append(
                Problem(at, f"with {says!r} another state began: the rest is left out", "Cut the file there.")
            )
            break
        else:
            changes = _between(before, state) if state is not None else _shown(told)
            inputs = (seed * 1_000_003 + turn) % 2**63  # as a game of this seed draws them
            game.turns.append(Said(turn, says, str(told["status"]), changes, inputs, at=at))
        before, last = state, turn
    if before is None:
        problems.append(
            Problem(game.at, "no state is on the lines: only the score and the end are compared", "Add --state.")
        )
    return [game]


def _instances(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """By instance the fields that differ from its page; None: the state is not on the line."""
    if "state" not in row:
        return None
    found: dict[str, Any] = row["state"]["instances"]
    return {id: each["fields"] for id, each in found.items()}


def _between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Changes:
    changes: Changes = {}
    for id, fields in after.items():
        old: Mapping[str, Any] = (before or {}).get(id, {})
        changes |= {(id, name): value for name, value in fields.items() if name not in old or old[name] != value}
        changes |= {(id, name): START for name in old if name not in fields}
    changes |= {(id, ""): None for id in (before or {}) if id not in after}
    return changes


def _shown(row: Mapping[str, Any]) -> Changes:
    return {("player", "score"): row["score"], ("player", "ended"): row["ended"] or ""}


def exported(data: Any, file: str, problems: list[Problem]) -> list[Recorded]:
    """The games of an export that were played alone. Raises `ValueError`."""
    if not isinstance(data, dict) or not {"games", "turns"} <= data.keys():
        raise ValueError("it is no export of a player")
    told = cast("dict[str, Any]", data)
    games: dict[str, Recorded] = {}
    for number, each in enumerate(told["games"], 1):
        at = f"{file}: game {number}"
        if each["scope"] is not None:
            problems.append(Problem(at, f"{each['world']} is shared: what others did is not in the export"))
            continue
        where = Where(each["world"], each["revision"], each["experience"])
        name = PurePath(str(each["world"])).name
        games[each["id"]] = Recorded(f"{name}-{number}", where, at, each["instance"], each["role"])
    over: set[str] = set()
    for row in told["turns"]:
        game = games.get(row["game_id"])
        if game is not None and row["game_id"] not in over and not _taken(game, row, problems):
            over.add(row["game_id"])
    return [each for each in games.values() if each.turns]


def _taken(game: Recorded, row: dict[str, Any], problems: list[Problem]) -> bool:
    """Adds a turn; False: the game cannot be followed from here on."""
    at, inputs = f"{game.at}, turn {row['number']}", row["inputs"]
    if row["kind"] == "undo":
        back = inputs["back"]
        kept = [each for each in game.turns if each.number < back]
        problems.append(Problem(at, f"turn {back} was taken back: both are left out", lost=False))
        game.turns[:] = kept
        return True
    if row["kind"] == "heard":
        return True
    if row["kind"] != "say":
        problems.append(Problem(at, f"with {row['kind']!r} another state began: the rest is left out"))
        return False
    outcome = row["outcome"]
    changes: Changes = {
        (change["id"], change["field"]): change["after"]
        for action in outcome["actions"]
        for change in action["effects"]
    }
    judged = bool(inputs.get("judged") or inputs.get("proposed"))
    seed, now, meant = inputs["seed"], inputs["now"], inputs.get("as") or ""
    game.turns.append(Said(row["number"], row["said"], outcome["status"], changes, seed, now, meant, judged, at))
    return True
