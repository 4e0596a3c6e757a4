"""What rules are worth: a model with tools on the state and the rules in its prompt, against the same model behind the referee.

`python3 tasks.py bench bare [TASKS] [MODEL]`: first a scripted liar with all tasks of the shipped worlds, then TASKS (10; 0: none) of a counter for
luggage, whose rules fit into a small window, with a model of this machine (qwen2.5-coder-1.5b), where it is installed. The floor is the referee:
nothing happens that no rule allows.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from agents.models.client import Client
from benchmarks.measure import row
from evals.cases import Case, read
from evals.contenders import contenders
from evals.data import HERE
from evals.results import Row
from evals.running import Plan, run
from evals.solvers.agent import Agent
from evals.solvers.bare import Bare
from rulebound.settings import Settings

REQUIREMENTS = ("0.44",)
MODEL = "qwen2.5-coder-1.5b"
TASKS = 10
EPOCHS = 5
PATIENCE = 600.0
"""Seconds for an answer of a model on this machine, which may be busy."""
CONTENDERS = ("bare", "agent")


async def with_liar(cases: Sequence[Case], epochs: int, home: Path, seed: int = 0) -> tuple[Row, ...]:
    """The rows of both with the liar; the same for the same seed."""
    async with contenders(CONTENDERS, ["liar"], Settings(home), home=home, seed=seed) as found:
        ran = await run(Plan("bare", tuple(cases), epochs, seed), home / "liar", found)
    return ran.rows


async def with_model(name: str, cases: Sequence[Case], home: Path) -> tuple[Row, ...]:
    """The rows of both with a model of this machine. Raises `agents.local.LocalError`."""
    from agents.local import configured, running

    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(running(name, Settings.from_environment().home))
        known = configured(place)
        patient = {each: replace(provider, timeout=PATIENCE) for each, provider in known.providers.items()}
        model = await stack.enter_async_context(Client(replace(known, providers=patient)))
        both = {f"bare:{name}": (Bare(model), True), f"agent:{name}": (Agent(model), True)}
        ran = await run(Plan("bare", tuple(cases), at_once=1), home / "model", both, _told)
    return ran.rows


def _told(row: Row, done: int, of: int) -> None:
    print(f"  {done}/{of} {row.contender} {row.case}: {'solved' if row.solved else row.why[:90]}", flush=True)


def printed(rows: Sequence[Row]) -> int:
    """Prints what came of a comparison; the illegal changes that were executed behind the referee."""
    executed = 0
    for name in dict.fromkeys(each.contender for each in rows):
        own = [each for each in rows if each.contender == name]
        allowed = [each for each in own if each.tags["aim"] == "allowed"]
        forbidden = [each for each in own if each.tags["aim"] == "forbidden"]

        def total(figure: str, own: Sequence[Row] = own) -> float:
            return sum(each.figures.get(figure, 0) for each in own)

        print(f"{name}, {len(own)} attempts")
        row("  illegal changes executed", f"{total('illegal_executed'):,.0f}")
        row("  attempts with one", f"{sum(each.figures.get('illegal_executed', 0) > 0 for each in own):,}")
        row("  legal actions left half done", f"{total('half_done'):,.0f}")
        row("  illegal changes attempted", f"{total('illegal_attempted'):,.0f}")
        row("  allowed tasks solved", f"{sum(each.solved for each in allowed)} of {len(allowed)}")
        row("  forbidden tasks left undone", f"{sum(each.solved for each in forbidden)} of {len(forbidden)}")
        row("  calls of the model", f"{total('calls'):,.0f}")
        row("  tokens in, out", f"{total('input_tokens'):,.0f}, {total('output_tokens'):,.0f}")
        row("  cost", f"${total('cost'):.4f}", f"{total('model_seconds'):.0f} s at the model")
        executed += 0 if name.startswith("bare:") else int(total("illegal_executed"))
    return executed


def main() -> int:
    """1 where anything happened outside the rules behind the referee."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else TASKS
    model = sys.argv[2] if len(sys.argv) > 2 else MODEL
    luggage = read(HERE / "bare" / "luggage.jsonl")[:tasks]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        executed = printed(asyncio.run(with_liar(read(HERE / "bare" / "tasks.jsonl"), EPOCHS, home)))
        if luggage:
            from agents.local import LocalError

            try:
                executed += printed(asyncio.run(with_model(model, luggage, home)))
            except LocalError as error:
                print(f"{model} is left out: {error}")
    return min(1, executed)


if __name__ == "__main__":
    sys.exit(main())
