"""Owns cases: what is said or set as a task in a world, and what must be so afterwards.

`read(file)` gives the cases of a JSON-lines file, `of_scenario(scenario, world)` that of a scenario page; docs/evaluators/cases.md is
the format. It must not know how a case is played or scored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from evals.strict_json import MAX_LINE, lines, loads, text_of
from kb import library
from kb.rulebook import Scenario, ScenarioTurn
from kb.suggest import suggest

MAX_STEPS = 20
"""Actions of a solver that chooses them itself, where a case says nothing else."""

MAX_NAME = 200
"""Characters of an id, a world, an experience or a role."""


class CaseError(Exception):
    """A case cannot be used: `args[0]` says where and what, `hint` what to write."""

    def __init__(self, message: str, hint: str = "See docs/evaluators/cases.md."):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be so after a turn, or at the end. Only what is told is checked."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    check: tuple[str, ...] = ()
    """Expressions of the rule language over the true state."""
    state: Literal["", "gold", "unchanged"] = ""
    """`gold`: as the case's `gold` leaves it, apart from turns and time; `unchanged`: as it was before."""
    refused: bool | None = None
    """Whether the last action was refused (or not understood)."""
    reason: str = ""
    """What a refusal says or names: words of its text or reason, a rule's id, or `page:line` that decided."""
    question: bool | None = None
    """Whether it asks back."""
    route: tuple[str, ...] = ()
    """`router.Route`s, any of which is right."""
    calls: int | None = None
    """The most calls to models."""
    cites: tuple[str, ...] = ()
    """`page#heading` or `page`, each of which must be cited."""
    cites_any: tuple[str, ...] = ()
    """Of these at least one."""
    declines: bool | None = None
    """Whether it says that no page answers."""
    says: tuple[str, ...] = ()
    """Patterns (RE2, case ignored) that the answer holds."""
    silent: tuple[str, ...] = ()
    """Patterns that it must not hold."""
    judge: str = ""
    """What a model is asked about the answer, yes or no, where nothing else can tell."""

    def __bool__(self) -> bool:
        return self != _NOTHING


_NOTHING = Expect()


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says, and what must be so then."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    says: str
    expect: Expect = _NOTHING
    seed: int | None = None
    """What chance is drawn from, as it was recorded; None: the case's."""
    now: str = ""
    """The moment (RFC 3339), as it was recorded; empty: when the world begins."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be solved. `turns` are said one after the other by a user; a solver that chooses its actions itself is given
    `task` in place of them."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    id: str
    world: str
    """A bundled name, or a folder or repository."""
    turns: tuple[Turn, ...] = ()
    expect: Expect = _NOTHING
    """At the end."""
    task: str = ""
    gold: tuple[str, ...] = ()
    """Commands that solve it, one a line as a player types them."""
    never: tuple[str, ...] = ()
    """Expressions that must not hold after any turn."""
    experience: str = ""
    """Where a world has several."""
    given: tuple[str, ...] = ()
    """Effects of the rule language that set the state up."""
    setup: tuple[str, ...] = ()
    """Lines that the rules play first; each must be done."""
    role: str = "player"
    seed: int = 0
    steps: int = MAX_STEPS
    """The most actions of a solver that chooses them itself."""
    by: tuple[str, ...] = ("rules", "model")
    """Who can play it: `rules` alone, a `model`."""
    persona: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """By which results are told apart: kind, source, difficulty."""
    scenario: str = ""
    """The scenario page of the world that it comes from."""
    at: str = ""
    """`file:line`, to show."""

    def as_data(self) -> dict[str, Any]:
        """As a line of a file: only what differs from the defaults."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if isinstance(value, Case | Turn | Expect):
        told = {each.name: getattr(value, each.name) for each in fields(value)}
        bare = {each.name: each.default for each in fields(value)}
        if isinstance(value, Turn) and value == Turn(value.says):
            return value.says
        return {name: _plain(part) for name, part in told.items() if part != bare[name] and part not in ({}, ())}
    if isinstance(value, tuple):
        return [_plain(each) for each in cast("tuple[Any, ...]", value)]
    return dict(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


def read(file: Path) -> list[Case]:
    """The cases of a JSON-lines file; a folder named as `world` is looked for beside the file. Raises `CaseError`."""
    try:
        text = text_of(file)
    except ValueError as error:
        raise CaseError(f"{file}: {error}", "Name a file of JSON lines, one case a line.") from None
    cases: list[Case] = []
    wrong: list[CaseError] = []
    seen: dict[str, str] = {}
    for number, line in lines(text):
        at = f"{file.name}:{number}"
        try:
            case = from_data(_object(line, at), at)
            if case.id in seen:
                raise CaseError(f"{at}: the id {case.id!r} is that of {seen[case.id]} too", "Give it another id.")
        except CaseError as error:
            wrong.append(error)
            continue
        seen[case.id] = at
        cases.append(replace(case, world=_near(case.world, file.parent)))
    if wrong:
        more = f" ({len(wrong) - 1} more lines are wrong.)" if len(wrong) > 1 else ""
        raise CaseError(f"{wrong[0]}{more}", wrong[0].hint)
    return cases


def _object(line: str, at: str) -> dict[str, Any]:
    try:
        row = loads(line, MAX_LINE)
    except ValueError as error:
        raise CaseError(f"{at}: {error}", "Write one JSON object a line.") from None
    if not isinstance(row, dict):
        raise CaseError(f"{at}: this is no object", "Write one JSON object a line.")
    return cast("dict[str, Any]", row)


def from_data(row: Mapping[str, Any], at: str) -> Case:
    """A case from its data, as a line of a file has it; `at` says where it stands. Raises `CaseError`."""
    from pydantic import ValidationError  # for those who read files

    told = dict(row)
    if isinstance(told.get("turns"), list):
        told["turns"] = [{"says": each} if isinstance(each, str) else each for each in cast("list[Any]", told["turns"])]
    try:
        case: Case = _adapter().validate_python(told)
    except ValidationError as error:
        raise _invalid(error.errors()[0], at) from None
    for name in ("id", "world", "experience", "role"):
        value = getattr(case, name)
        if len(value) > MAX_NAME or not (value.isprintable() and value == value.strip()):
            hint = f"At most {MAX_NAME} characters that can be seen, without spaces around them."
            raise CaseError(f"{at}: {name}: {value[:80]!r} is no name", hint)
    if not case.id or not case.world:
        raise CaseError(f"{at}: {'id' if not case.id else 'world'} is empty")
    if not (case.turns or case.task or case.gold):
        raise CaseError(f"{at}: nothing is said or to be done", "Write `turns`, a `task` or `gold`.")
    for turn in case.turns:
        try:
            moment(turn.now)
        except ValueError:
            raise CaseError(f"{at}: turns: {turn.now[:80]!r} is no moment", "Write 2026-01-31T18:00:00Z.") from None
    if not 0 < case.steps <= 1_000 or abs(case.seed) >= 2**53:
        raise CaseError(f"{at}: {'seed' if 0 < case.steps <= 1_000 else 'steps'} is out of range", "1 to 1,000 steps.")
    return replace(case, at=at)


def moment(text: str) -> datetime | None:
    """The moment that a turn names; None for none. Raises `ValueError`."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _names(kind: type[Any], before: str = "") -> dict[str, str]:
    return {f"{before}{each.name}": "many" if each.type.startswith("tuple") else "one" for each in fields(kind)}


NAMES = {
    **{name: many for name, many in _names(Case).items() if name not in ("expect", "at", "scenario")},
    **_names(Expect, "expect."),
}
"""What can be told of a case (`id`, `turns`, `expect.reason`), and whether it holds one value or many."""


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Case)


def _invalid(error: Any, at: str) -> CaseError:
    """What is wrong with a case's data, and what might be meant."""
    place = [str(part)[:80] for part in error["loc"]]
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        inside = [part for part in place[:-1] if not part.isdigit()][-1:]
        kind = {"expect": Expect, "turns": Turn}.get(inside[0] if inside else "", Case)
        known = [each.name for each in fields(kind)]
        hint = suggest(place[-1], known) or f"There are {', '.join(known)}."
        return CaseError(f"{at}: there is no {'.'.join(place)!r}", hint)
    where = ".".join(place) or "the line"
    hint = 'Write a list: `["…"]`.' if error["type"] == "tuple_type" else "See docs/evaluators/cases.md."
    return CaseError(f"{at}: {where}: {error['msg']}", hint)


def _near(world: str, folder: Path) -> str:
    beside = (folder / world).resolve()
    return str(beside) if world not in library.worlds() and beside.exists() else world


def write(file: Path, cases: Sequence[Case]) -> None:
    """Writes cases as JSON lines."""
    lines = [json.dumps(each.as_data(), ensure_ascii=False) for each in cases]
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def of_scenario(scenario: Scenario, world: str, experience: str = "") -> Case:
    """A scenario page as a case; its lines are its turns, and it is solved by them."""
    turns = tuple(Turn(each.says, _expected(each)) for each in scenario.turns)
    return Case(
        id=scenario.id,
        world=world,
        turns=turns,
        task=scenario.title,
        gold=tuple(each.says for each in scenario.turns),
        experience=experience,
        role=scenario.role,
        seed=scenario.seed,
        by=scenario.by,
        scenario=scenario.id,
        at=f"{scenario.span.path}:{scenario.span.line}",
    )


def _expected(turn: ScenarioTurn) -> Expect:
    """A row of a scenario; the column Answer holds is a pattern."""

    absent = turn.holds.startswith('not "')
    words = turn.holds[5:].rstrip('"') if absent else turn.holds.strip('"')
    pattern: tuple[str, ...] = (re.escape(words),) if words not in ("", "-") else ()
    return Expect(
        check=(turn.check.source,) if turn.check else (),
        refused=turn.refused,
        says=() if absent else pattern,
        silent=pattern if absent else (),
    )


def fingerprint(cases: Sequence[Case]) -> str:
    """The same for the same cases: a hash of all that can change a result; another checkout of a world is the same world."""
    import hashlib

    told = [replace(each, at="", world=each.world.rpartition("/")[2]) for each in cases]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_parts).encode()).hexdigest()[:16]


def _parts(value: Any) -> dict[str, Any]:
    """As `dataclasses.asdict`, which would copy all that is in it."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    return {name: getattr(value, name) for name in value.__slots__}
