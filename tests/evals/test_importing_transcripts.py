"""Games as they were played become cases: the rules as they were solve them, and rules that changed do not."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agents.worlds import Where
from evals.cases import Case, CaseError
from evals.environment import environments
from evals.importers import read
from evals.scoring import Verdict, verdict
from evals.solvers.rules import played
from kb import library
from rulebound import cli
from rulebound.app import PRINCIPAL, build
from rulebound.settings import Settings

LINES = "look\nwest\nmap\nhang the cloak on the hook\nfly away\ntake the hook\nundo\nwhy\neast\n"


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Path]:
    """What `rulebound play WORLD --script … --json` prints."""

    def run(world: str, lines: str, *options: str) -> Path:
        (tmp_path / "script.txt").write_text(lines)
        monkeypatch.setenv("RULEBOUND_HOME", str(tmp_path / "home"))
        monkeypatch.setattr(
            sys, "argv", ["rulebound", "play", world, "--script", str(tmp_path / "script.txt"), "--json", *options]
        )
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with suppress(SystemExit):
            cli.main()
        (tmp_path / "game.jsonl").write_text(capsys.readouterr().out)
        return tmp_path / "game.jsonl"

    return run


def judged(case: Case) -> Verdict:
    at = next(iter(environments([case]).values()))
    return verdict(case, played(case, at, [turn.says for turn in case.turns], "user"), at)


def test_a_game_as_it_was_printed_is_a_case_that_the_same_rules_solve(printed: Callable[..., Path]) -> None:
    imported = read("transcript", printed("cloak", LINES, "--state"), world="cloak")
    (case,) = imported.cases
    assert [turn.says for turn in case.turns] == ["look", "west", "hang the cloak on the hook", "fly away", "east"]
    hung = case.turns[2].expect
    assert {"player.score == 1", 'cloak.location == "hook"', "cloak.worn == false"} <= set(hung.check)
    assert [turn.expect.refused for turn in case.turns] == [False, False, False, True, False]
    assert judged(case).solved
    assert [str(each) for each in imported.problems] == [
        "game.jsonl:3: 'map' was about the game and no turn: it is left out.",
        "game.jsonl:7: the turn before was taken back: both are left out.",
        "game.jsonl:8: 'why' was about the game and no turn: it is left out.",
    ]


def test_a_rule_that_changed_since_is_found_with_its_turn(printed: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "cloak"
    shutil.copytree(library.worlds()["cloak"], folder)
    (case,) = read("transcript", printed(str(folder), LINES, "--state"), world=str(folder)).cases
    page = folder / "cloak.md"
    page.write_text(page.read_text().replace('award 1 for "hanging', 'award 2 for "hanging'))
    found = judged(case)
    assert [each.what for each in found.checks if not each.met] == [
        "player.score == 1 after 'hang the cloak on the hook'"
    ]


def test_chance_falls_as_it_did(printed: Callable[..., Path]) -> None:
    lines = "rock\npaper\nscissors\nrock\nrock\n"
    file = printed("rock-paper-scissors", lines, "--state", "--seed", "7")
    imported = read("transcript", file, world="rock-paper-scissors", names={"seed": "7"})
    assert imported.problems == ()
    assert judged(imported.cases[0]).solved
    other = read("transcript", file, world="rock-paper-scissors", names={"seed": "8"})
    assert not judged(other.cases[0]).solved


def test_without_the_state_only_the_score_and_the_end_are_compared_and_that_is_told(
    printed: Callable[..., Path],
) -> None:
    imported = read("transcript", printed("cloak", "west\nhang the cloak on the hook\n"), world="cloak")
    assert imported.cases[0].turns[1].expect.check == ("player.score == 1", 'player.ended == ""')
    assert [each.message for each in imported.problems] == [
        "no state is on the lines: only the score and the end are compared"
    ]
    assert judged(imported.cases[0]).solved


async def exported(home: Path) -> dict[str, Any]:
    """What an export holds of a game, from the games that a session keeps in memory."""
    app = build(Settings.from_environment())
    handle, _ = await app.games.start(Where.of("cloak"), PRINCIPAL, name="Ada", seed=5)
    for line in ("west", "hang the cloak on the hook", "take the hook"):
        await app.games.act(handle, PRINCIPAL, line)
    await app.games.undo(handle, PRINCIPAL)
    await app.games.act(handle, PRINCIPAL, "east")
    return await export_of(app)


async def export_of(app: Any) -> dict[str, Any]:
    games = [game async for game in app.store.played()]
    turns = [
        {
            "game_id": game.id,
            "number": each.number,
            "kind": each.kind,
            "said": each.text,
            "inputs": each.inputs,
            "outcome": each.outcome,
        }
        for game in games
        for each in await app.store.turns(game.id)
    ]
    told = [
        {
            "id": game.id,
            "world": game.world,
            "revision": game.revision,
            "experience": game.experience,
            "scope": game.scope,
            "instance": "player",
            "role": "player",
        }
        for game in games
    ]
    return json.loads(json.dumps({"profile": [], "games": told, "turns": turns}, default=str))


def test_a_game_of_an_export_is_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RULEBOUND_HOME", str(tmp_path / "home"))
    data = asyncio.run(exported(tmp_path))
    (tmp_path / "ada.json").write_text(json.dumps(data, indent=1))
    imported = read("transcript", tmp_path / "ada.json")
    (case,) = imported.cases
    assert (case.id, [turn.says for turn in case.turns]) == ("cloak-1", ["west", "hang the cloak on the hook", "east"])
    assert judged(case).solved
    assert [each.message for each in imported.problems] == ["turn 3 was taken back: both are left out"]


def test_what_an_export_cannot_be_followed_through_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RULEBOUND_HOME", str(tmp_path / "home"))
    data = asyncio.run(exported(tmp_path))
    data["turns"][1]["inputs"]["judged"] = {"otto.insulted": "yes"}
    data["turns"][-1]["kind"] = "restore"
    data["games"].append({**data["games"][0], "id": "other", "scope": "all"})
    data["games"].append({**data["games"][0], "id": "third", "world": "nowhere-at-all"})
    data["turns"].append({**data["turns"][0], "game_id": "third"})
    (tmp_path / "ada.json").write_text(json.dumps(data))
    imported = read("transcript", tmp_path / "ada.json")
    assert [(len(each.turns), each.by) for each in imported.cases] == [(2, ("model",))]
    told = [str(each) for each in imported.problems]
    assert [
        part
        for part in ("is shared", "'restore'", "a model's answer", "nowhere-at-all")
        if not any(part in each for each in told)
    ] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no turn|no JSON"),
        ("[]", "no export"),
        ("{}", "no export"),
        ('{"turn": 1}', "no turn"),
        ("look\nwest", "no JSON"),
    ],
)
def test_a_file_that_is_no_game_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "game.jsonl").write_text(text)
    with pytest.raises(CaseError, match=told):
        read("transcript", tmp_path / "game.jsonl", world="cloak")


def test_a_world_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "game.jsonl").write_text('{"turn": 1, "input": "look", "status": "done", "score": 0, "ended": null}')
    with pytest.raises(CaseError, match="--world"):
        read("transcript", tmp_path / "game.jsonl")
