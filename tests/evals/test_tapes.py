"""A run with models is had again from its tape, offline and byte by byte; what does not fit the tape ends it, and says where."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.models.cassette import CassetteError, Tape
from evals.cases import Case, Expect, Turn
from evals.contenders import contenders
from evals.limits import Limit, LimitError
from evals.results import JOURNAL, RESULTS, Row, read
from evals.running import Plan, Ran, run
from evals.scripted import Answer, Conversation, serving
from rulebound.settings import Settings

pytestmark = pytest.mark.anyio
PLEASE = "please would you take me to the west, my friend"
CASES = (
    Case("typed", "cloak", (Turn("west"), Turn("hang cloak on hook")), Expect(check=("player.score == 1",))),
    Case("free", "cloak", (Turn(PLEASE),), Expect(state="gold"), gold=("west",)),
    Case("asked", "cloak", (Turn("what is known about the bar?"),), Expect(route=("knowledge",))),
    Case("told", "cloak", (Turn("tell me a tale of the sea, of gulls and of salt"),), Expect(state="unchanged")),
)


async def ran(out: Path, *solvers: str, models: tuple[str, ...] = ("liar", "knowing"), **options: Any) -> Ran:
    plan = Plan("suite", options.pop("cases", CASES), options.pop("epochs", 2), at_once=options.pop("at_once", 8))
    settings = options.pop("settings", Settings(out / "home"))
    async with contenders(solvers or ("system",), models, settings, home=out / "home", **options) as found:
        return await run(plan, out, found)


def by_case(rows: tuple[Row, ...]) -> Mapping[tuple[str, str, int], str]:
    return {row.key: row.line() for row in rows}


@pytest.mark.requirement("0.34")
async def test_a_run_from_its_tape_gives_the_same_bytes_offline_however_many_play_at_once(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    played: dict[str, Any] = {"models": ("liar",), "cases": CASES[1:3]}
    await ran(tmp_path / "first", "system", "path-team", record=tape, **played)
    for name, at_once in (("second", 8), ("third", 1)):
        await ran(tmp_path / name, "system", "path-team", replay=tape, at_once=at_once, **played)
    first, *others = [(tmp_path / name / RESULTS).read_bytes() for name in ("first", "second", "third")]
    assert others == [first, first]
    assert b'"purpose":"team"' in first
    # The liar tells each epoch other lies, and each is had again as it was.
    told = [[each.get("answer") for each in row.steps] for row in read(tmp_path / "third")]
    assert len({str(each) for each in told}) > len(told) // 2


async def test_the_same_recording_gives_the_same_tape_but_for_the_seconds(tmp_path: Path) -> None:
    kept: list[list[object]] = []
    for name, at_once in (("one", 1), ("two", 8)):
        await ran(tmp_path / name, models=("knowing",), record=tmp_path / f"{name}.jsonl", at_once=at_once)
        entries = Tape.load(tmp_path / f"{name}.jsonl").entries
        kept.append([(place, entry["asked"], entry["answer"]["text"]) for place, entry in entries.items()])
    assert kept[0] == kept[1]


@pytest.mark.requirement("0.34")
async def test_a_changed_prompt_ends_the_run_and_tells_which_attempt_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "tape.jsonl"
    await ran(tmp_path / "first", models=("knowing",), record=tape)
    monkeypatch.setattr("router.prompt.SYSTEM", "You are somebody else now.")
    with pytest.raises(CassetteError) as failed:
        await ran(tmp_path / "second", models=("knowing",), replay=tape, at_once=1)
    told = str(failed.value)
    assert told.startswith(f"{tape}: this chat of system:knowing/free/1 is not kept; the nearest, in line ")
    assert "somebody else" in told
    assert not (tmp_path / "second" / RESULTS).exists()
    assert (tmp_path / "second" / JOURNAL).exists()


async def test_a_tape_that_is_missing_or_cut_is_told_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="No such file"):
        await ran(tmp_path / "first", replay=tmp_path / "nothing.jsonl")
    tape = tmp_path / "tape.jsonl"
    await ran(tmp_path / "first", models=("knowing",), record=tape, cases=CASES[:2])
    tape.write_bytes(tape.read_bytes()[:-50])
    with pytest.raises(CassetteError, match=r"tape\.jsonl:\d+: the line is not as it was written"):
        await ran(tmp_path / "second", models=("knowing",), replay=tape)
    assert not (tmp_path / "second").exists()


async def test_a_change_of_the_router_changes_the_rows_of_the_cases_that_it_concerns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "tape.jsonl"
    first = await ran(tmp_path / "first", models=("knowing",), record=tape)
    monkeypatch.setattr("router.router.MAX_COMMANDS", 0)  # nothing that a model reads is done any more
    second = await ran(tmp_path / "second", models=("knowing",), replay=tape)
    before, after = by_case(first.rows), by_case(second.rows)
    assert {case for _, case, _ in before if any(before[key] != after[key] for key in before if key[1] == case)} == {
        "free"
    }
    assert [row.solved for row in first.rows if row.case == "free"] == [True, True]
    assert [row.solved for row in second.rows if row.case == "free"] == [False, False]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from test_tapes import CASES, Plan, Settings, contenders, run

async def main(out, url):
    def tell(row, done, of):
        os.kill(os.getpid(), signal.SIGKILL) if done == 3 else None
    settings = Settings(out / "home", model="scripted", model_url=f"{url}/v1")
    async with contenders(["system"], ["scripted"], settings, home=out / "home", record=out / "tape.jsonl") as found:
        await run(Plan("suite", CASES[:3], 2, at_once=1), out, found, tell)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


async def test_a_recording_that_is_killed_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    def decide(asked: Conversation) -> Answer:
        return Answer("Gulls.") if asked.schema is None else Answer.json({"sentences": []})

    played: dict[str, Any] = {"models": ("scripted",), "cases": CASES[:3]}
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), *sys.path))}
    with serving(decide) as server:
        command = [sys.executable, "-c", KILLED, str(out), server.url]
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, timeout=100)
        assert done.returncode == -signal.SIGKILL, done.stderr
        asked = len(server.requests)
        settings = Settings(out / "home", model="scripted", model_url=f"{server.url}/v1")
        await ran(out, record=out / "tape.jsonl", settings=settings, at_once=1, **played)
        assert 0 < asked < len(server.requests) == len(Tape.load(out / "tape.jsonl").entries)
    await ran(tmp_path / "again", replay=out / "tape.jsonl", **played)
    assert (tmp_path / "again" / RESULTS).read_bytes() == (out / RESULTS).read_bytes()


async def test_a_run_ends_at_its_limit_and_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with pytest.raises(LimitError, match="3 calls to models were begun, and 3 may be"):
        await ran(tmp_path / "one", models=("knowing",), record=tape, limit=Limit(calls=3), at_once=1)
    with pytest.raises(LimitError, match=r"was spent on models, and \$0.0001 may be"):
        await ran(tmp_path / "two", models=("knowing",), limit=Limit(dollars=0.0001), at_once=1)
    gone_on = await ran(tmp_path / "one", models=("knowing",), record=tape, limit=Limit(calls=5), at_once=1)
    assert len(gone_on.rows) == 8
    assert sum(row.figures["calls"] for row in gone_on.rows) > 5


DOOR = {
    "world.md": "---\nexperience: door\nuses: [adventure]\nstart: hall\n---\n# Door\nA door.\n",
    "hall.md": "---\nplace: hall\n---\n# Hall\nA hall.\n",
    "otto.md": "---\nagent: otto\nin: hall\nmay: [say]\nstate: {patience: int 0..5 = 5}\n---\n# Otto\n## Judgement\n"
    "> Is the player rude to Otto? **yes / no** → `otto.insulted`. With no model: **no**.\n## Then\n"
    '- when `otto.insulted == "yes"` → subtract 1 from `otto.patience`; say "Otto frowns."\n',
}


async def test_what_ends_a_run_is_not_lost_where_calls_are_shared(tmp_path: Path) -> None:
    folder = tmp_path / "door"
    folder.mkdir()
    for name, text in DOOR.items():
        (folder / name).write_text(text, "utf-8")
    judged = Case("judged", str(folder), (Turn("wait"),), Expect(check=("otto.patience == 4",)))
    talked = Case("talked", "tavern", (Turn("Marta, what do you make of the king?"),))
    for case in (judged, talked):
        with pytest.raises(LimitError):
            await ran(tmp_path / case.id, models=("knowing",), limit=Limit(calls=0), cases=(case,), epochs=1)
    found = await ran(tmp_path / "yes", models=("knowing",), record=tmp_path / "tape", cases=(judged,), epochs=1)
    assert [row.steps[0]["models"][0]["purpose"] for row in found.rows] == ["judge"]
    with pytest.raises(
        CassetteError, match="of system:knowing/other/1 is not kept; the nearest, in line 2, is the same"
    ):
        await ran(
            tmp_path / "other",
            models=("knowing",),
            replay=tmp_path / "tape",
            cases=(replace(judged, id="other"),),
            epochs=1,
        )
