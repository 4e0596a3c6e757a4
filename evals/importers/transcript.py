"""Owns games as they were played, as cases: each line again, and what came of it then as what must come of it now.

A file of `rulebound play WORLD --script … --json --state` (one JSON object a turn), or of `rulebound player export`. A turn expects whether
it was refused, and every field that it changed, as it was afterwards. It must not play.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from agents.worlds import World, WorldError
from evals.cases import Case, CaseError, Expect, Turn
from evals.environment import PASSING
from evals.importers import Imported, Problem
from evals.importers.recorded import START, Recorded, exported, printed
from evals.strict_json import loads, text_of
from kb.types import Bool, Choice, Int, ListOf, Number, Ref, Text, Time, Type


def read(file: Path, world: str, names: Mapping[str, str]) -> Imported:
    """A case for each game. `names` may tell the `--seed` that a script was played with (`seed`: `7`; else 0)."""
    try:
        text = text_of(file)
        problems: list[Problem] = []
        whole = None if text.lstrip().startswith('{"turn":') else loads(text)
        if whole is not None:
            games = exported(whole, file.name, problems)
        else:
            games = printed(text, file.name, world, int(names.get("seed") or 0), problems)
    except ValueError as error:
        raise CaseError(f"{file}: {error}", "Name what `play --json --state` or `player export` wrote.") from None
    cases = [case for game in games if (case := _case(game, problems)) is not None]
    return Imported(tuple(cases), problems=tuple(problems))


def _case(game: Recorded, problems: list[Problem]) -> Case | None:
    try:
        world = World.open(game.where)
    except WorldError as error:
        problems.append(Problem(game.at, f"{game.where.location}: {error}", error.hint))
        return None
    names = _Names(world, game.instance)
    turns: list[Turn] = []
    gold: list[str] = []
    models = False
    for each in game.turns:
        checks: list[str] = []
        for (id, name), after in each.changes.items():
            if name in PASSING:
                continue
            source = names.expression(id, name, after)
            if source is None:
                what = f"{id}.{name} became {str(after)[:60]!r}, which no expression of a case can name: it is not compared"
                problems.append(Problem(each.at, what))
            else:
                checks.append(source)
        if each.judged:
            models = True
            problems.append(
                Problem(each.at, "a model's answer counted in it: only a contender with a model can play it")
            )
        expect = Expect(check=tuple(checks), refused=each.status != "done", question=each.status == "question" or None)
        turns.append(Turn(each.says, expect, each.seed, each.now))
        gold.append(each.meant or each.says)
    if not turns:
        problems.append(Problem(game.at, "nothing is left of it", "Play it again."))
        return None
    return Case(
        game.id,
        game.where.location,
        tuple(turns),
        gold=tuple(gold),
        experience=game.where.experience or "",
        role=game.role,
        by=("model",) if models else ("rules", "model"),
        tags={"source": "transcript"},
        at=game.at,
    )


@dataclass
class _Names:
    """How fields of a world's instances are named in expressions."""

    world: World
    instance: str
    """The player's, as it was recorded."""
    kinds: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        book = self.world.rulebook
        # Fields of one page alone are declared by a kind of its own id.
        self.kinds = {
            each.id: each.template if each.template in book.kinds else book.templates[each.template].kind
            for each in book.seeds
        }
        self.kinds |= {"world": "world", "player": "player"}

    def expression(self, id: str, name: str, value: Any) -> str | None:
        """That the field holds the value; None where it cannot be said."""
        id = "player" if id == self.instance else id
        kind = self.world.rulebook.kinds.get(self.kinds.get(id, ""))
        declared = kind.fields.get(name) if kind else None
        if declared is None:
            return None
        if value is START:
            template = self.world.rulebook.templates.get(id)
            value = declared.type.dump(template.values.get(name, declared.start) if template else declared.start)
        told = self._value(declared.type, value)
        return None if told is None else f"{id.replace('-', '_')}.{name} == {told}"

    def _value(self, type_: Type, value: Any) -> str | None:
        match type_:
            case Time() if isinstance(value, str) and value:
                return f"timestamp({json.dumps(value)})"
            case Ref() if value is None or isinstance(value, str):
                return "player.id" if value == self.instance else json.dumps(value or "")
            case Text() | Choice() if isinstance(value, str):
                return json.dumps(value, ensure_ascii=False)
            case Bool() if isinstance(value, bool):
                return json.dumps(value)
            case Int() | Number() if isinstance(value, int | float):
                return json.dumps(value)
            case ListOf(item) if isinstance(value, list):
                parts = [self._value(item, each) for each in cast("list[Any]", value)]
                return None if None in parts else f"[{', '.join(cast('list[str]', parts))}]"
            case _:
                return None
