"""`rulebound ask`: a question about a world, and what a player says in a game of theirs."""

import json
from typing import Any

import pytest

from evals.scripted import Answer, Call, serving


def data(ran: Any) -> dict[str, Any]:
    assert ran.status == 0, ran.err
    return json.loads(ran.out)


@pytest.mark.requirement("0.12", "0.14")
def test_a_question_is_answered_from_pages_with_their_lines_and_no_model(rulebound: Any) -> None:
    shown = rulebound("ask", "where is the brass hook?")
    assert shown.status == 0
    assert "screwed to the wall" in shown.out
    assert "hook.md#" in shown.out
    told = data(rulebound("ask", "where is the brass hook?", "--json"))
    assert set(told) == {"text", "route", "tier", "reason", "citations", "model_calls", "cost", "turn"}
    assert (told["route"], told["tier"], told["model_calls"], told["turn"]) == ("knowledge", "rules", 0, None)
    assert told["citations"][0] | {"commit": ""} == {
        "path": "hook.md",
        "heading": "Small brass hook",
        "line": 7,
        "commit": "",
    }


def test_what_nobody_knows_is_said_and_the_status_is_1(rulebound: Any) -> None:
    assert rulebound("ask", "zzz qqq").status == 1


@pytest.mark.requirement("0.18", "0.34")
def test_a_player_s_words_become_a_turn_in_the_same_game(
    rulebound: Any, kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data(rulebound("ask", "go west", "--player", "ada", "--json"))
    assert (first["turn"], first["model_calls"]) == (1, 0)
    with serving(lambda _: Answer(calls=(Call("go", {"direction": "east"}),))) as model:
        monkeypatch.setenv("RULEBOUND_MODEL", "scripted")
        monkeypatch.setenv("RULEBOUND_MODEL_URL", f"{model.url}/v1")
        told = data(rulebound("ask", "would you kindly take me back to the eastern room", "--player", "ada", "--json"))
    assert (told["route"], told["tier"], told["turn"], told["model_calls"]) == ("action", "call", 2, 1)
    assert len(model.requests) == 1


def test_scenarios_for_a_model_are_played_by_it_where_that_is_asked(
    rulebound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1 skipped" in rulebound("test", "ferry").out
    missing = rulebound("test", "ferry", "--with-model")
    assert (missing.status, "No model is configured" in missing.err) == (2, True)
    said = {"say": "A bell, far off.", "effects": [{"do": "add", "field": "player.respect", "value": 1}]}
    with serving(lambda _: Answer(json.dumps(said))) as model:
        monkeypatch.setenv("RULEBOUND_MODEL", "scripted")
        monkeypatch.setenv("RULEBOUND_MODEL_URL", f"{model.url}/v1")
        ran = rulebound("test", "ferry", "--with-model")
    assert (ran.status, "0 failed" in ran.out, "skipped" in ran.out) == (0, True, False)
    assert len(model.requests) == 1
