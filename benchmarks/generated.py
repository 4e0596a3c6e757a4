"""How many made-up cases come to what their oracle says: 10,000 policies' cases, 1,000 changed actions, 100 worlds; and what one costs to
make and to play with its score, over the same lines said to the rules alone.

`python3 tasks.py bench generated`; with an argument a share of that (0.1).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import row
from evals.cases import Case
from evals.environment import PLAYER, Environment, environments, where_of
from evals.generators import generate
from evals.scoring import verdict
from evals.solvers.rules import played
from evals.suites import suite

REQUIREMENTS: tuple[str, ...] = ()
WANTED = {"policies": 10_000, "mutations": 1_000, "worlds": 100}


def main() -> int:
    """Prints shares; a case that comes to something else is an error."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    seed, wrong = random.SystemRandom().randrange(10**6), 0
    for kind, wanted in WANTED.items():
        n = max(1, int(wanted * share))
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            generate(kind, n, seed, Path(folder) / "kb")
            made = time.perf_counter()
            cases = suite(str(Path(folder) / "kb")).cases()
            places = environments(cases)
            _solved(cases[0], places[where_of(cases[0])])  # what is imported then is no part of a case
            opened = time.perf_counter()
            failed = [case.id for case in cases if not _solved(case, places[where_of(case)])]
            spent = time.perf_counter() - opened
            floor = time.perf_counter()
            for case in cases:
                _said(case, places[where_of(case)])
            floor = time.perf_counter() - floor
        wrong += len(failed)
        row(f"{kind} (seed {seed}): as the oracle says", f"{n - len(failed):,} of {n:,}", " ".join(failed[:5]))
        row("  made", f"{(made - begin) / n * 1000:.2f} ms each")
        row("  played and scored", f"{n / spent * 60:,.0f} a minute", f"{spent / floor:.1f} times the rules alone")
    return int(bool(wrong))


def _solved(case: Case, at: Environment) -> bool:
    return verdict(case, played(case, at, [turn.says for turn in case.turns], "user"), at).solved


def _said(case: Case, at: Environment) -> None:
    """The floor: the same lines in the same states, nothing kept."""
    state, dialogue = at.begin(case)
    for number, turn in enumerate(case.turns):
        said = at.session.say(state, PLAYER, turn.says, dialogue, at.inputs(case, number))
        state, dialogue = said.state, said.dialogue


if __name__ == "__main__":
    sys.exit(main())
