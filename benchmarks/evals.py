"""The plainest case of our runner beside the plainest sample of Inspect AI's, in the same run; ten thousand rule cases."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import peak, row
from evals.cases import Case, Expect, Turn
from evals.running import Plan, run
from evals.solvers.rules import Rules
from evals.suites import suite

REQUIREMENTS = ("4.52",)
MANY = 10_000
FEW, MORE = 100, 500
"""What a case costs is the difference between two numbers of them: what a process takes to start is in neither."""


def walkthroughs() -> list[Case]:
    """Every bundled world's scenarios that the rules play."""
    return [each for each in suite("play").cases() if "rules" in each.by and each.scenario]


def games(count: int) -> None:
    """Plays and scores walkthroughs again and again until there are `count`."""
    told = walkthroughs()
    played(tuple(replace(told[number % len(told)], id=f"case-{number}") for number in range(count)))


def ours(count: int) -> None:
    """Our plainest case: a line that the rules play, and one comparison."""
    turns = (Turn("look", Expect(says=("Foyer",))),)
    played(tuple(Case(f"case-{number}", "cloak", turns) for number in range(count)))


def played(cases: tuple[Case, ...]) -> None:
    """As `rulebound eval run` does, with its files."""
    with tempfile.TemporaryDirectory() as folder:
        ran = asyncio.run(run(Plan("many", cases), Path(folder), {"rules:none": (Rules(), False)}))
    assert all(each.solved for each in ran.rows), "all are solved"


def inspects(count: int) -> None:
    """Inspect's plainest task: one call to its mock model, whose answer and tokens are told, and one comparison."""
    from inspect_ai import Task
    from inspect_ai import eval as evaluate  # pyright: ignore[reportUnknownVariableType]  # its own parameters
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    def answers(*_: object) -> ModelOutput:
        said = ModelOutput.from_content("mockllm", "yes")
        said.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return said

    samples = [Sample(id=f"case-{number}", input="Say yes.", target="yes") for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        model = get_model("mockllm/model", custom_outputs=answers, memoize=False)
        task = Task(dataset=samples, solver=generate(), scorer=match())
        (log,) = evaluate(task, model=model, display="none", log_dir=folder, ctl_server=False, score_display=False)
    assert log.status == "success", log.error


SIDES: dict[str, Callable[[int], None]] = {"ours": ours, "games": games, "inspects": inspects}


def alone(side: str, count: int) -> None:
    """Prints a side's CPU seconds and peak memory in MiB, in this process alone."""
    SIDES[side](count)
    print(f"\n{time.process_time()} {peak()}")


def measured(side: str, count: int) -> tuple[float, float]:
    """CPU seconds and MiB of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.evals", side, str(count)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu, memory = out.splitlines()[-1].split()
    return float(cpu), float(memory)


def side(name: str) -> tuple[float, float]:
    """Prints and gives a case's CPU seconds, and the peak memory of a process with the larger number."""
    (few, _), (more, memory) = measured(name, FEW), measured(name, MORE)
    cost = (more - few) / (MORE - FEW)
    row(f"{name}: CPU a case", f"{cost * 1e3:.2f} ms", f"starting: {(few - cost * FEW):.1f} s of CPU")
    row(f"{name}: peak memory with {MORE} cases", f"{memory:.0f} MiB")
    return cost, memory


def main() -> None:
    cpu, memory = side("ours")
    side("games")
    if importlib.util.find_spec("inspect_ai") is None:
        print("Inspect AI is not installed, and so there is nothing to compare with: pip install 'rulebound[inspect]'")
    else:
        its_cpu, its_memory = side("inspects")
        row("Inspect's CPU for ours", f"{its_cpu / cpu:.0f} times", "target 20")
        row("Inspect's memory for ours", f"{its_memory / memory:.1f} times")
    begin = time.perf_counter()
    cpu, memory = measured("games", MANY)
    wall = time.perf_counter() - begin
    row(f"{MANY:,} walkthroughs, one process", f"{wall:.0f} s", f"{cpu:.0f} s of CPU (target: a minute on two cores)")
    row("peak memory then", f"{memory:.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        alone(sys.argv[1], int(sys.argv[2]))
    else:
        main()
