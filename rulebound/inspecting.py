"""Owns what Inspect AI finds of Rulebound: tasks, the solver, scorers, and the provider of models. Needs the extra `[inspect]`.

`inspect eval rulebound/play --model rulebound/NAME`. Inspect names what is registered by the package in which it is written, and
therefore it stands here and not in `evals`. It must not know how any of it works.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.log import transcript
from inspect_ai.model import ModelAPI, get_model, modelapi
from inspect_ai.scorer import Score, Scorer, Target, accuracy, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import span
from inspect_ai.viewer import ViewerConfig

from evals.inspecting import telling
from evals.inspecting.models import Ours, OverInspect, client
from evals.inspecting.stage import stage_of, staged
from evals.patience import Patient
from evals.running import played
from evals.solvers import Needs, opened
from evals.suites import SUITES

NO_MODEL = "none/none"
"""What Inspect calls a model where `--model none` is said."""

if (_litellm := importlib.util.find_spec("litellm")) is not None and _litellm.origin:
    # Inspect's mock model counts tokens by a table that would be fetched from the Internet; litellm brings it along.
    tables = Path(_litellm.origin).parent / "litellm_core_utils" / "tokenizers"
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(tables))


@modelapi(name="rulebound")
def rulebound() -> type[ModelAPI]:
    """`--model rulebound/NAME`."""
    return Ours


@task
def cases(of: str, solver: str = "", revision: str | None = None, seed: int = 0, patience: float = 1.0) -> Task:
    """The cases of a world, a folder or a `.jsonl` file (or a suite by its name), played by `solver`; models are waited for
    `patience` times as long as players would."""
    stage = staged(of, revision, with_model=str(get_model()) != NO_MODEL)
    return Task(
        dataset=stage.dataset(),
        solver=contender(solver or stage.solver, seed, patience),
        scorer=[solved(), figures()],
        name=stage.name,
        viewer=ViewerConfig(trust_content=False),  # it holds what players and pages say
        metadata={"left_out": stage.left_out} if stage.left_out else None,
    )


def _suite(name: str) -> Callable[..., Task]:
    def made(solver: str = "", revision: str | None = None, seed: int = 0, patience: float = 1.0) -> Task:
        return cases(name, solver, revision, seed, patience)

    return task(name=name)(made)


for _name in SUITES:
    _suite(_name)


@solver
def contender(name: str = "system", seed: int = 0, patience: float = 1.0) -> Solver:
    """Plays a case as one of our solvers does, with the model that Inspect was told of."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        stage, case = stage_of(state)
        asked = get_model()
        over = None if str(asked) == NO_MODEL else OverInspect(asked)
        model = None if over is None else Patient(client(over), patience)
        with tempfile.TemporaryDirectory() as home:
            async with opened(name, Needs(model, Path(home), seed, stage.revision)) as plays:
                row = await played(f"{name}:{asked if over else 'none'}", plays, case, stage.place(case), state.epoch)
        state.store.set(telling.KEPT, asdict(row))
        state.messages = telling.messages(row)
        state.output.completion = row.steps[-1].get("answer", "") if row.steps else row.error
        for number, step in enumerate(row.steps, 1):
            async with span(f"{number} {step['says'][:60]}", type="turn"):
                transcript().info(telling.note(step), source="rulebound")
        if over is not None and over.stopped is not None:
            raise over.stopped
        state.completed = True
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def solved() -> Scorer:
    """Whether every expectation of the case is met."""

    async def score(state: TaskState, target: Target) -> Score:
        return _told(state, telling.solved)

    return score


@scorer(metrics={"*": [mean()]})
def figures() -> Scorer:
    """Steps, changes outside the rules attempted and executed, calls, tokens, cost."""

    async def score(state: TaskState, target: Target) -> Score:
        return _told(state, telling.figures)

    return score


def _told(state: TaskState, tell: Callable[[telling.Row], Score]) -> Score:
    row = telling.kept(state.store)
    if row is None:
        return Score(value=float("nan"), explanation="No solver of Rulebound's played it: leave `--solver` away.")
    return tell(row)
