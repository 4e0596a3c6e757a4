"""Contenders are solvers with models: exactly those that are named, with no fallback and no player's budget."""

import subprocess
import sys
from pathlib import Path

import pytest

from evals.cases import Case, Expect, Turn
from evals.contenders import contenders
from evals.running import Plan, run
from evals.scripted import Answer, serving
from evals.solvers import SOLVERS, SolverError
from rulebound.settings import Settings

pytestmark = pytest.mark.anyio
CASE = Case("told", "cloak", (Turn("tell me a tale of the sea, of gulls and of salt"),))


async def test_a_contender_is_each_solver_with_each_model_and_once_where_it_asks_none(tmp_path: Path) -> None:
    models = ["none", "liar"]
    async with contenders(["rules", "system", "fuzz"], models, Settings(tmp_path), home=tmp_path) as found:
        assert [(name, with_model) for name, (_, with_model) in found.items()] == [
            ("rules:none", False), ("system:none", False), ("system:liar", True), ("fuzz:none", False), ("fuzz:liar", True),
        ]  # fmt: skip


async def test_a_provider_is_asked_alone_and_nothing_is_taken_from_players_budgets(tmp_path: Path) -> None:
    with serving(lambda _: Answer("Far.")) as far, serving(lambda _: Answer("Near.")) as near:
        (tmp_path / "models.toml").write_text(
            f'default = ["far", "near"]\nlabel = "near"\n[budget]\ncalls = 0\n[providers.far]\nmodel = "a"\nurl = "{far.url}/v1"\n'
            f'[providers.near]\nmodel = "b"\nurl = "{near.url}/v1"\n[providers.dead]\nmodel = "c"\nurl = "http://127.0.0.1:9/v1"\n',
            "utf-8",
        )
        async with contenders(["system"], ["near", "dead"], Settings(tmp_path), home=tmp_path) as found:
            ran = await run(Plan("one", (CASE,)), tmp_path / "out", found)
        near_row, dead_row = ran.rows
        assert (near_row.contender, near_row.steps[0]["answer"]) == ("system:near", "Near.")
        assert (dead_row.contender, dead_row.steps[0]["models"][0]["failed"]) == ("system:dead", "unavailable")
        assert not far.requests
        assert len(near.requests) == 1


async def test_a_model_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    settings = Settings(tmp_path, model="qwen", model_url="http://127.0.0.1:9/v1")
    for name, configured, hint in (
        ("qwem", settings, "qwen"),
        ("gpt", Settings(tmp_path), "models.md"),
        (f"scripted:{tmp_path / 'nothing.yaml'}", settings, "form of a script"),
    ):
        with pytest.raises(SolverError) as failed:
            async with contenders(["system"], [name], configured, home=tmp_path):
                pass
        assert hint in failed.value.hint


async def test_a_script_is_played_by_a_server_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "gulls.yaml"
    script.write_text('cases: [{when: "tale", steps: [{say: "Gulls and salt."}]}]', "utf-8")
    case = Case("told", "cloak", CASE.turns, Expect(says=("gulls",), state="unchanged"))
    async with contenders(["system"], [f"scripted:{script}"], Settings(tmp_path), home=tmp_path) as found:
        (row,) = (await run(Plan("one", (case,)), tmp_path / "out", found)).rows
    assert (row.contender, row.solved) == ("system:scripted:gulls", True)
    assert row.figures["cost"] > 0


async def test_every_solver_that_ships_plays_a_case_with_a_model_that_knows(tmp_path: Path) -> None:
    cases = (
        Case("task", "cloak", (), Expect(check=("player.location == 'cloakroom'",)), "go west", ("west",), steps=5),
        Case("said", "cloak", (Turn("go west"),), Expect(check=("player.location == 'cloakroom'",)), gold=("west",)),
    )
    solvers = [each for each in SOLVERS if each != "client"]  # it starts a server, and has tests of its own
    async with contenders(solvers, ["knowing"], Settings(tmp_path), home=tmp_path) as found:
        ran = await run(Plan("two", cases), tmp_path / "out", found)
    assert {row.contender.partition(":")[0] for row in ran.rows} == set(solvers)
    assert not [(row.contender, row.error) for row in ran.rows if row.error]
    solved = {row.contender.partition(":")[0] for row in ran.rows if row.case == "said" and row.solved}
    assert {"rules", "expert", "system", "path-speech", "fuzz"} <= solved
    assert not {"path-direct", "path-knowledge", "path-team"} & solved


def test_a_run_without_models_imports_nothing_of_theirs(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from evals.cases import Case, Turn
from evals.contenders import contenders
from evals.running import Plan, run
from rulebound.settings import Settings
async def main(out):
    async with contenders(["system", "rules", "random"], ["none"], Settings(out), home=out) as found:
        ran = await run(Plan("one", (Case("c", "cloak", (Turn("west"), Turn("what is the bar?"))),)), out, found)
        assert len(ran.rows) == 3 and not any(row.error for row in ran.rows)
asyncio.run(main(Path(sys.argv[1])))
print([each for each in ("litellm", "langgraph", "langsmith", "inspect_ai", "httpx2", "uvicorn", "psycopg") if each in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
