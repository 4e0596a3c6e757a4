"""How often a model on this machine judges as the labels do; the floor is a judge that always says no.

`python3 tasks.py bench judge [ANSWERS]` asks Qwen2.5-Coder-1.5B, which is installed where it is not there.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from agents.local import configured, install, local_model
from agents.models.client import Client
from benchmarks.measure import peak, row
from evals.data import Judged, judged
from evals.scoring.judge import Judge, agreeing
from evals.statistics import agreement
from rulebound.settings import Settings

REQUIREMENTS = ("4.52",)
NAME = "qwen2.5-coder-1.5b"


def spread(labels: Sequence[Judged], count: int) -> list[Judged]:
    """So many of them, from all kinds."""
    return [labels[at * len(labels) // count] for at in range(count)]


async def run(count: int) -> None:
    """Asks about so many answers."""
    home = Settings.from_environment().home
    install(NAME, home, lambda line: print(line, file=sys.stderr))
    labels = spread(judged(), count)
    with local_model(NAME, home) as place:
        async with Client(configured(place)) as model:
            begin = time.perf_counter()
            agreed, lost = await agreeing(Judge(model, NAME), labels)
            spent = time.perf_counter() - begin
    floor = agreement([(False, each.yes) for each in labels])
    low, high = agreed.share.low, agreed.share.high
    row("answers judged", f"{count} of {len(judged())}")
    row("as the labels say", f"{agreed.share.rate:.0%}", f"{low:.0%} to {high:.0%}; always no: {floor.share.rate:.0%}")
    row("Cohen's kappa", f"{agreed.kappa:.2f}", f"always no: {floor.kappa:.2f}")
    row("verdicts that do not count", str(lost))
    row("a verdict", f"{spent / count:.1f} s")
    row("peak memory beside the model", f"{peak()} MiB")


if __name__ == "__main__":
    most = len(judged())
    asyncio.run(run(min(int(sys.argv[1]), most) if len(sys.argv) > 1 else most))
