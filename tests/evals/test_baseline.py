"""The project's own baseline is of its suites as they are, and what the present tree plays holds against it.

`python3 tasks.py evals` holds all of it, and so does CI; here every hundredth case is played.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evals.cases import Case
from evals.contenders import contenders
from evals.gate import Baseline, gate, lines
from evals.running import Plan, run
from evals.suites import suite
from rulebound.settings import Settings

FILE = Path(__file__).parents[2] / "evals" / "baseline.json"
SUITES, SOLVERS = ("play", "rules", "router"), ("rules", "system")
RENEW = "write it anew, as docs/evaluators/gate.md says"


def cases() -> list[Case]:
    """Those that need no model, as a run of several suites names them."""
    every = [replace(each, id=f"{name}:{each.id}") for name in SUITES for each in suite(name).cases()]
    return [each for each in every if "rules" in each.by]


def test_the_baseline_has_every_case_that_needs_no_model() -> None:
    ids = {each.id for each in cases()}
    kept = Baseline.read(FILE).contenders
    assert set(kept) == {f"{solver}:none" for solver in SOLVERS}
    for contender, own in kept.items():
        assert not ids ^ own.keys(), f"{contender}: {RENEW}"


@pytest.mark.anyio
@pytest.mark.requirement("4.52")
async def test_what_is_played_now_is_as_good_as_the_baseline(tmp_path: Path) -> None:
    some = tuple(cases()[::100])
    async with contenders(SOLVERS, ["none"], Settings(tmp_path), home=tmp_path) as found:
        played = await run(Plan("own", some), tmp_path / "out", found)
    verdict = gate(Baseline.read(FILE).only({each.id for each in some}), played.rows)
    assert len(verdict.judged) == len(SOLVERS)
    assert verdict.passed, "\n".join(lines(verdict))
