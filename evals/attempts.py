"""Owns what came of a case: the steps that a solver took, and the states between them.

A solver gives an `Attempt`, scorers read it, reports show it. Plain values. It must not know how steps are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Literal

from agents.record import plain
from kb.referee import Action, Outcome, State, TraceLine
from kb.session import Said
from storage.records import Json

Status = Literal["done", "refused", "question", "not-understood", "answered"]
"""`answered`: nothing was to be done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One message or action and what it led to. Nothing in it was measured by a clock of this machine."""

    says: str
    answer: str
    status: Status
    by: Literal["user", "solver"] = "user"
    """Who chose what is said."""
    actions: tuple[str, ...] = ()
    """As they were understood: `take <item> {"item": "lamp"}`."""
    rule: str = ""
    """The id of the rule that decided last."""
    reason: str = ""
    """Why it was refused, or how it was routed."""
    lines: tuple[str, ...] = ()
    """The trace: `path:line kind: text = value`."""
    changes: tuple[Json, ...] = ()
    """`id`, `field`, `before`, `after`."""
    route: str = ""
    tier: str = ""
    models: tuple[Json, ...] = ()
    """Each call: `purpose`, `model`, `input_tokens`, `output_tokens`, `cost` (US dollars), `seconds` at the provider."""
    citations: tuple[str, ...] = ()
    """`path#heading:line`."""
    attempted: tuple[str, ...] = ()
    """Changes that were tried though no rule allows them."""
    executed: tuple[str, ...] = ()
    """Changes that were made though no rule allows them."""
    hash: str = ""
    """Of the state afterwards."""

    def as_data(self) -> Json:
        """Only what is not empty."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) not in ("", (), None)}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A case as it was played. `states[0]` is the one it began with, `states[n]` the one after step n."""

    steps: tuple[Step, ...]
    states: tuple[State, ...]
    turns: tuple[int, ...] = ()
    """For each turn of the case, how many steps were done when it was over."""
    error: str = ""
    """Why it could not be played to the end; it is then not solved."""
    player: str = "player"
    extra: Mapping[str, float] = field(default_factory=dict[str, float])
    """More figures, by name."""
    aimless: bool = False
    """It did not try to solve the case: only what must never be is looked at."""

    @property
    def final(self) -> State:
        return self.states[-1]


def step_of(says: str, said: Said, **more: Any) -> Step:
    """What a line led to, as the rules tell it."""
    outcomes = said.outcomes
    last = outcomes[-1] if outcomes else None
    status: Status = "done"
    if any(each.status == "refused" for each in outcomes):
        status = "refused"
    elif not said.understood:
        status = "question" if said.question else "not-understood"
    told: dict[str, Any] = {
        "actions": tuple(shown(each) for each in said.actions),
        "rule": (last.rule or "") if last else "",
        "reason": (last.reason or "") if last else "",
        "lines": tuple(line for each in outcomes for line in lines_of(each.trace)),
        "changes": tuple(change for each in outcomes for change in changes_of(each)),
        "hash": said.state.hash,
    }
    return Step(says, said.text, status, **{**told, **more})


def shown(action: Action) -> str:
    """An action in a line."""
    import json

    roles = json.dumps(dict(action.roles), ensure_ascii=False, default=str, sort_keys=True)
    return f"{action.type or action.text} {roles}" if action.roles else action.type or action.text


def lines_of(trace: tuple[TraceLine, ...]) -> list[str]:
    """A trace as lines of text; equal ones are the same object, as a run of many cases holds the same lines again and again."""
    return [
        intern(
            f"{each.span.path}:{each.span.line} {each.kind}: {each.text}{'' if each.value is None else f' = {each.value}'}"
        )
        for each in trace
    ]


def changes_of(outcome: Outcome) -> list[Json]:
    """The changes of an outcome as data."""
    return [
        {"id": each.id, "field": each.field, "before": plain(each.before), "after": plain(each.after)}
        for each in outcome.changes
    ]
