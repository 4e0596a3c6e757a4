"""Owns the Rulebook: everything compiled from one commit, as immutable values.

The compiler makes it, the referee and the command parser read it. It must not know how it is made or run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from kb.diagnostics import Span
from kb.expressions import Expr, TextTemplate
from kb.teams import Team
from kb.types import Choice, Type

DIRECTIONS = (
    "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest",
    "up", "down", "in", "out",
)  # fmt: skip


# --- Declarations ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A stored field of a kind: its type, its start (a run-time value) and what it means."""

    name: str
    type: Type
    start: Any
    meaning: str = ""
    was: tuple[str, ...] = ()
    """Its earlier names."""
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A field that is computed: `expr` runs with the kind's name bound to the instance."""

    name: str
    expr: Expr
    self_name: str
    meaning: str = ""
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """`- prose: `expr``: one exact condition with the words that explain it."""

    prose: str
    expr: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind with all its fields, inherited ones included."""

    id: str
    plural: str
    parent: str | None
    fields: Mapping[str, Field]
    derived: Mapping[str, Derived]
    invariants: tuple[Condition, ...] = ()
    span: Span | None = None
    was: tuple[str, ...] = ()
    """Its earlier ids."""


@dataclass(frozen=True, slots=True)
class Seed:
    """An instance that exists from the start. `location` "player" means carried by each new player."""

    id: str
    template: str
    location: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Template:
    """A page that instances are made from; `values` is the complete row of a fresh instance (without location)."""

    id: str
    kind: str
    name: str
    aliases: tuple[str, ...]
    description: TextTemplate
    values: Mapping[str, Any]
    span: Span
    was: tuple[str, ...] = ()
    """Its earlier ids."""


# --- Effects --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A field that an effect writes: `root` gives the instance's id, `steps` lead into maps, records and lists."""

    root: Expr
    kind: str
    field: str
    steps: tuple[str | Expr, ...]
    type: Type
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect of the closed vocabulary; runs only where `when` holds (or is None)."""

    span: Span
    source: str
    when: Expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Effect):
    target: Target
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Effect):
    target: Target
    amount: Expr
    sign: Literal[1, -1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put(Effect):
    target: Target
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Take(Effect):
    target: Target
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Effect):
    what: Expr
    to: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Effect):
    template: str
    to: Expr | None
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Effect):
    what: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Effect):
    text: TextTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell(Effect):
    to: Expr | None
    """A player or place; None: everyone else in the acting player's place."""
    text: TextTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Effect):
    event: str
    values: Mapping[str, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Effect):
    """start, advance, end or fail of a quest or workflow."""

    verb: Literal["start", "advance", "end", "fail"]
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndGame(Effect):
    text: TextTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Award(Effect):
    amount: Expr
    reason: TextTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Effect):
    event: str
    values: Mapping[str, Expr]
    delay: Expr | None
    """A duration; exactly one of `delay` and `at` is given."""
    at: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll(Effect):
    """`dice` draws of `low..high`, summed, known below as `name`."""

    dice: int
    low: int
    high: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Effect):
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Effect):
    """Another action: `action` id with each role's value."""

    action: str
    roles: Mapping[str, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Effect):
    text: TextTemplate


# --- Actions and rules ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    """A hole of a pattern or a typed argument. `required` is False where an argument has a start."""

    name: str
    type: Type
    in_pattern: bool
    required: bool = True
    start: Any = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to say an action: literal words (str) and roles (`Role`), in order.

    `fixed` gives values that the wording itself settles (`north` alone for `go <direction>` → {"direction": "north"}).
    """

    parts: tuple[str | Role, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        return " ".join(p if isinstance(p, str) else f"<{p.name}>" for p in self.parts)


@dataclass(frozen=True, slots=True)
class ActionType:
    """Everything that shares one meaning: its patterns and, in the order in which they are considered, its rules' ids."""

    id: str
    """The first pattern without narrowing, e.g. `hang <item> on <supporter>`."""
    verb: str
    roles: Mapping[str, Role]
    patterns: tuple[Pattern, ...]
    rules: tuple[str, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """What sets a rule off."""

    kind: Literal["action", "after", "enters", "event", "turn", "every", "at"]
    action: str | None = None
    """The action's id, or "any", for `action` and `after`."""
    event: str | None = None
    place: str | None = None
    every: timedelta | None = None
    at: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row of Unless: where `condition` holds the action is refused with `text`."""

    condition: Expr
    text: TextTemplate
    span: Span


@dataclass(frozen=True, slots=True)
class Example:
    """A row of a rule's or table's examples: values to set, and what must come out."""

    given: tuple[tuple[Target | str, Any], ...]
    """A target to set, or the name of a role or argument, with its value."""
    result: str | None
    then: tuple[tuple[Target, Any], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule page, or a row of a `## Rules` table."""

    id: str
    title: str
    trigger: Trigger
    narrowing: Mapping[str, tuple[str, ...]]
    """role → the template ids or values that it is narrowed to."""
    when: tuple[Condition, ...]
    unless: tuple[Refusal, ...]
    then: tuple[Effect, ...]
    otherwise: tuple[Effect, ...]
    span: Span
    instead_of: tuple[str, ...] = ()
    """Rule ids; ("all",) for every other rule of the action."""
    requires: Literal["player", "gm", "admin"] = "player"
    free: bool = False
    examples: tuple[Example, ...] = ()
    own: bool = False
    """Whether it is a row of a `## Rules` table."""


# --- Tables, workflows, agents, scenarios ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Test:
    """A cell of an input column.

    op: any | in (values) | not-in (values) | < <= > >= != (values[0]) | range (values[0]..values[1], inclusive)
    | is (expr: equals the input, or, where the input is not yes/no and the expression is, must hold).
    """

    op: Literal["any", "in", "not-in", "<", "<=", ">", ">=", "!=", "range", "is"]
    values: tuple[Any, ...] = ()
    expr: Expr | None = None


@dataclass(frozen=True, slots=True)
class Row:
    tests: tuple[Test, ...]
    effects: tuple[Effect, ...]
    weight: int
    span: Span


@dataclass(frozen=True, slots=True)
class Table:
    id: str
    hit: Literal["unique", "first", "all", "random"]
    inputs: tuple[Expr, ...]
    rows: tuple[Row, ...]
    span: Span
    takes: Mapping[str, Type] = field(default_factory=dict[str, Type])
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    until: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Act:
    effect: Effect


@dataclass(frozen=True, slots=True)
class Branch:
    condition: Expr
    step: int
    """Index into the workflow's steps."""
    span: Span


@dataclass(frozen=True, slots=True)
class Ask:
    text: TextTemplate
    answer: Target
    span: Span


@dataclass(frozen=True, slots=True)
class End:
    text: TextTemplate | None
    span: Span


Line: TypeAlias = Wait | Act | Branch | Ask | End


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    slug: str
    lines: tuple[Line, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow, or (`quest`) a quest. A quest without steps is advanced by rules alone."""

    id: str
    name: str
    quest: bool
    begin: bool
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Judgement:
    """A question to a model with a typed answer; without a model `fallback` holds."""

    question: str
    name: str
    """The answer's name as expressions write it (`otto.insulted`): the agent's identifier and a field."""
    field: str
    type: Choice
    fallback: str
    span: Span


@dataclass(frozen=True, slots=True)
class Agent:
    id: str
    """Also the id of its template and instance (kind npc)."""
    may: tuple[str, ...]
    budget: int
    """How many calls to models it may take part in a turn."""
    knows: tuple[Expr, ...]
    always: tuple[Effect, ...]
    judgements: tuple[Judgement, ...]
    then: tuple[Effect, ...]
    voice: str
    trigger: Trigger
    """`turn` (when a player's turn ends in its place), `every` or `at`."""
    placed: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Persona:
    """Whom a model speaks as, and what it may use meanwhile: never more than who asks may."""

    id: str
    name: str
    text: str
    tools: frozenset[str] | None
    """`act`, `search`, `read`, `team` and ids of rules; None: everything."""
    audience: frozenset[str]
    """The roles that it is there for; empty: everybody's."""
    span: Span

    def allows(self, tool: str) -> bool:
        """Whether it may be used under this persona."""
        return self.tools is None or tool in self.tools


@dataclass(frozen=True, slots=True)
class ScenarioTurn:
    says: str
    holds: str
    check: Expr | None
    refused: bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    title: str
    by: tuple[str, ...]
    given: tuple[Effect, ...]
    turns: tuple[ScenarioTurn, ...]
    seed: int
    role: str
    span: Span


# --- The whole ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """What the experience's page says of the whole."""

    id: str
    name: str
    intro: TextTemplate
    start: str
    begins: Any
    """datetime, UTC."""
    clock: timedelta | None
    """World time per turn; None: the recorded clock."""
    shared: bool
    """Whether players share one world; else each has one of their own."""
    players: int
    """How many players a shared world holds at once."""
    max_score: int | None
    freeform: tuple[tuple[str, str], ...]
    """(kind, field) pairs that a model may propose changes to."""
    freeform_span: Span
    """Where the page says so."""
    span: Span


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything compiled from one commit for one experience."""

    commit: str
    settings: Settings
    kinds: Mapping[str, Kind]
    templates: Mapping[str, Template]
    seeds: tuple[Seed, ...]
    actions: Mapping[str, ActionType]
    rules: Mapping[str, Rule]
    tables: Mapping[str, Table]
    workflows: Mapping[str, Workflow]
    agents: Mapping[str, Agent]
    teams: Mapping[str, Team]
    scenarios: tuple[Scenario, ...]
    invariants: tuple[Condition, ...]
    """Of the experience; each kind carries its own."""
    enters: tuple[str, ...]
    events: Mapping[str, tuple[str, ...]]
    """event → rules"""
    every_turn: tuple[str, ...]
    timed: tuple[str, ...]
    """Rules and agents with `every` or `at`, by id."""
    indexed: frozenset[tuple[str, str]]
    """(kind, field) pairs that expressions search by."""
    personas: Mapping[str, Persona] = field(default_factory=dict[str, "Persona"])
