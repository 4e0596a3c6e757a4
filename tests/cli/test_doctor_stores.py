"""`rulebound doctor --health` and `--metrics`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.requirement("1.20")
def test_health_is_json_and_good_where_both_stores_answer(rulebound: Run, kept: None) -> None:
    ran = rulebound("doctor", "--health")
    assert ran.status == 0
    assert {name: each["status"] for name, each in json.loads(ran.out).items() if name != "status"} == {
        "postgres": "healthy", "redis": "healthy",
    }  # fmt: skip


@pytest.mark.requirement("1.20")
def test_health_is_bad_where_redis_is_away(rulebound: Run, kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RULEBOUND_REDIS_URL", "unix:///nowhere/valkey.sock")
    ran = rulebound("doctor", "--health")
    found = json.loads(ran.out)
    assert (ran.status, found["status"], found["redis"]["status"]) == (1, "degraded", "degraded")
    assert found["postgres"]["status"] == "healthy"


@pytest.mark.requirement("1.19")
def test_metrics_are_in_the_form_that_prometheus_reads(rulebound: Run, kept: None) -> None:
    ran = rulebound("doctor", "--metrics")
    assert ran.status == 0
    assert "\nactive_players_total 0\n" in ran.out
    assert all(line.startswith("#") or len(line.split()) == 2 for line in ran.out.splitlines())
