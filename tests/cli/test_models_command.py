"""`rulebound models`: what is configured, whether it answers, what was spent; and what to do where nothing is."""

import json
from pathlib import Path

import pytest

from evals.scripted import Answer, Fault, serving

KEY = "sk-very-secret"


def test_without_a_model_it_says_how_to_name_one(rulebound, home: Path) -> None:
    ran = rulebound("models")
    assert (ran.status, ran.err) == (1, "")
    assert "RULEBOUND_MODEL=" in ran.out
    assert str(home / "models.toml") in ran.out
    assert json.loads(rulebound("models", "--json").out) == {"configured": False}


@pytest.mark.requirement("3.09", "4.48")
def test_a_model_is_shown_with_a_test_call_its_cost_and_what_was_spent_today(
    rulebound, kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RULEBOUND_MODEL", "scripted")
    monkeypatch.setenv("RULEBOUND_MODEL_KEY", KEY)
    with serving(lambda _: Answer("Ready!")) as server:
        monkeypatch.setenv("RULEBOUND_MODEL_URL", f"{server.url}/v1")
        ran = rulebound("models")
        assert (ran.status, len(server.requests)) == (0, 1)
        assert "ok: 'Ready!' in" in ran.out
        assert "[default 1, label, embedding]" in ran.out
        assert "today (UTC): 1 calls" in ran.out
        found = json.loads(rulebound("models", "--json", "--no-call").out)
    assert len(server.requests) == 1
    assert found["today"] == {"calls": 1, "cost": 0.0, "principals": 1}
    assert "call" not in found["providers"]["default"]
    assert KEY not in ran.out + json.dumps(found)


def test_a_provider_that_fails_is_told_with_what_to_do_and_a_bad_file_with_its_line(
    rulebound, kept: None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    home.mkdir()
    with serving(lambda _: Answer("", fault=Fault("401", times=99))) as server:
        table = f'[providers.big]\nmodel = "m"\nurl = "{server.url}/v1"\nkey = "OUR_KEY"\n'
        (home / "models.toml").write_text(table + "[budget]\ncalls = 5\n", "utf-8")
        ran = rulebound("models")
    assert ran.status == 1
    assert "FAILED (refused): big: HTTP 401" in ran.out
    assert "budget a day for everybody: 5 calls" in ran.out
    assert KEY not in ran.out + ran.err
    (home / "models.toml").write_text(table.replace("model =", "modell ="), "utf-8")
    bad = rulebound("models")
    assert bad.status != 0
    assert "models.toml:2: providers.big.modell: Unexpected" in bad.err
    assert "docs/operators/models.md" in bad.err
