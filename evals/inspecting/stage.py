"""Owns what a task of Inspect's is made of: a suite's cases as samples, and the worlds in which they are played.

`staged("play")` compiles everything and remembers it, `stage_of(state)` finds it for a sample that is played. It must not know solvers
or scores.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageUser
from inspect_ai.solver import TaskState

from agents.worlds import Where
from evals.cases import Case, Expect, fingerprint
from evals.environment import Environment, environments, where_of
from evals.suites import suite


@dataclass(frozen=True)
class Stage:
    """Cases by id, and where they are played."""

    name: str
    key: str
    """The same for the same cases at the same revision."""
    solver: str
    """Who plays them where nobody is named."""
    cases: dict[str, Case]
    places: dict[Where, Environment]
    revision: str | None
    left_out: list[str]
    """Ids of cases that only a model can play, where there is none."""

    def place(self, case: Case) -> Environment:
        return self.places[where_of(case, self.revision)]

    def dataset(self) -> MemoryDataset:
        """A sample a case."""
        return MemoryDataset([_sample(each, self.key) for each in self.cases.values()], name=self.name)


_stages: dict[str, Stage] = {}
"""Those of this process's tasks: a sample's state holds plain data alone, and so the key of its own."""


def staged(of: str, revision: str | None = None, *, with_model: bool = True) -> Stage:
    """The cases of a suite, world, folder or file, compiled; without a model those that the rules alone can play.

    Raises `CaseError` and `agents.worlds.WorldError`.
    """
    found = suite(of, revision)
    given = found.cases()
    told = [each for each in given if with_model or "rules" in each.by]
    key = f"{fingerprint(told)}@{revision or ''}"
    cases = {each.id: each for each in told}
    left_out = [each.id for each in given if each.id not in cases]
    stage = Stage(found.name, key, found.solver, cases, environments(told, revision=revision), revision, left_out)
    _stages[key] = stage
    return stage


def stage_of(state: TaskState) -> tuple[Stage, Case]:
    """Where a sample is played, and its case. Raises `LookupError` where it is none of ours."""
    stage = _stages[state.metadata["stage"]]
    return stage, stage.cases[str(state.sample_id)]


def _sample(case: Case, key: str) -> Sample:
    """Input: what the user says; target: how it is solved, and what must be so then."""
    said: list[ChatMessage] = [ChatMessageUser(content=turn.says) for turn in case.turns]
    wanted = [*case.gold, *(line for turn in case.turns for line in _wanted(turn.expect)), *_wanted(case.expect)]
    told = case.as_data()
    tags = told.pop("tags", {})
    return Sample(
        id=case.id,
        input=said or case.task or case.id,
        target=wanted or "played to the end",
        metadata={**tags, "world": case.world.rpartition("/")[2], "case": told, "stage": key},
    )


def _wanted(expect: Expect) -> list[str]:
    """What is expected, a line each."""
    told = asdict(expect).items()
    return [
        f"{name}: {each}"
        for name, value in told
        for each in (cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,))
        if each not in ("", None)
    ]
