"""Owns who plays a run: each solver with each model, opened for it, counted against the run's own limit, recorded or replayed.

`async with contenders(["system"], ["none", "liar"], settings, home=…) as found: await run(plan, folder, found)`. A contender is called
`solver:model`. It must not know cases or results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agents.models.cassette import Recording, Replaying, Tape
from agents.models.model import Model
from evals.limits import Limit, Limited, Spending
from evals.running import PLAYING
from evals.scoring.judge import Judge
from evals.solvers import MODELLESS, Needs, Solver, SolverError, opened
from kb.suggest import suggest
from rulebound.settings import Settings

if TYPE_CHECKING:
    from agents.models.configuration import Configuration

NONE, SCRIPTED = "none", "scripted:"
SHIPPED = ("knowing", "liar")
"""Models that ship: one that is told what is right, and one that lies (`evals.shipped`)."""


class Contenders(dict[str, tuple[Solver, bool]]):
    """By name the solver, and whether it has a model."""

    judge: Judge | None = None
    """Who is asked what cases leave to a judge; its calls are counted and kept on the tape as all others."""


@asynccontextmanager
async def contenders(
    solvers: Sequence[str],
    models: Sequence[str],
    settings: Settings,
    *,
    home: Path,
    seed: int = 0,
    revision: str | None = None,
    limit: Limit | None = None,
    record: Path | None = None,
    replay: Path | None = None,
    judge: str = "",
) -> AsyncGenerator[Contenders]:
    """For `evals.running.run`. A model is `none`, a provider's name, `liar`, `knowing` or `scripted:FILE`. `record`: calls are kept on
    that tape, and what is on it already is not asked again; `replay`: they are answered from it alone, and no model is configured.

    Raises `SolverError`, `CassetteError`, and `agents.models.configuration.ConfigurationError`.
    """
    async with AsyncExitStack() as stack:
        tape = stack.enter_context(Tape.recording(record)) if record is not None else None
        played = Tape.load(replay) if replay is not None else None
        spending = Spending(limit or Limit())

        async def ready(name: str) -> Model:
            if played is not None:
                return Replaying(played, PLAYING.get)
            model: Model = Limited(await stack.enter_async_context(_opened(name, settings, seed)), spending)
            return model if tape is None else Recording(model, tape, PLAYING.get)

        asked: dict[str, Model | None] = {NONE: None}
        for name in models:
            label = _label(name)
            if name == NONE:
                continue
            if label in asked:
                raise SolverError(
                    f"Two models are called {label!r}", "Name each once; scripts by different file names."
                )
            asked[label] = await ready(name)
        found = Contenders()
        if judge:
            found.judge = Judge(asked.get(_label(judge)) or await ready(judge), _label(judge))
        for solver in solvers:
            for name in map(_label, models) if solver not in MODELLESS else (NONE,):
                needs = Needs(asked[name], home, seed, revision)
                playing = await stack.enter_async_context(opened(solver, needs))
                found[f"{solver}:{name}"] = playing, asked[name] is not None
        yield found


def _label(model: str) -> str:
    """What a model is called in results: where a script stands is nobody's business."""
    return f"{SCRIPTED}{Path(model.removeprefix(SCRIPTED)).stem}" if model.startswith(SCRIPTED) else model


@asynccontextmanager
async def _opened(name: str, settings: Settings, seed: int) -> AsyncGenerator[Model]:
    """A model by its name."""
    # What serves and asks models is imported for those that have one.
    if name in SHIPPED or name.startswith(SCRIPTED):
        from evals.shipped import shipped

        with shipped(name, seed) as (client, model):
            async with client:
                yield model
        return
    from agents.models.client import Client

    async with Client(_alone(name, settings)) as client:
        yield client


def _alone(name: str, settings: Settings) -> Configuration:
    """The configuration in which this provider alone answers everything, without players' budgets, as its calls are no player's."""
    from agents.models.configuration import OWN, Configuration
    from storage.ledger import UNLIMITED

    if not settings.has_models:
        hint = suggest(name, (NONE, *SHIPPED)) or (
            f"There are {', '.join((NONE, *SHIPPED))} and scripted:FILE; docs/operators/models.md tells how to have others."
        )
        raise SolverError(f"There is no model {name!r}: none is configured", hint)
    if settings.model:
        whole = Configuration.one(url=settings.model_url, model=settings.model, key=settings.model_key)
    else:
        whole = Configuration.load(settings.models_file, settings.variables.get)
    chosen = OWN if name == settings.model else name
    if chosen not in whole.providers:
        known = (NONE, *SHIPPED, settings.model or "", *whole.providers)
        hint = suggest(name, known) or f"There are {', '.join(each for each in known if each)}, and scripted:FILE."
        raise SolverError(f"There is no model {name!r}", hint)
    return replace(
        whole,
        providers={chosen: whole.providers[chosen]},
        default=(chosen,),
        embedding=chosen if whole.embedding == chosen else "",
        label="",
        everybody=UNLIMITED,
        each=UNLIMITED,
    )
