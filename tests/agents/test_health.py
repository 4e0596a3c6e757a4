"""What operators are told of the stores."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.health import health, metrics
from agents.worlds import Where
from rulebound.app import build
from rulebound.settings import Settings
from storage import new_id
from storage.embedded import Servers
from storage.fenced import FencedStore
from storage.metrics import Histogram
from storage.postgres.connections import Connections

pytestmark = pytest.mark.anyio
NAMES = {
    "active_players_total", "player_progress_cache_hit_rate", "player_progress_write_latency_seconds",
    "database_connections_active", "database_connections_reused", "database_query_duration_seconds",
    "database_transaction_rate", "hot_process_hits_total", "redis_hits_total", "redis_misses_total",
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
    "agent_execution_time_seconds", "games_held", "game_state_instances",
    "llm_api_calls_total", "llm_cost_daily_usd", "decision_cache_hit_rate", "llm_provider_calls_total", "llm_cost_usd_total",
    "llm_breaker_open", "agent_requests_total", "agent_response_time_ms", "agent_error_rate", "agent_model_usage_total",
    "agent_queue_seconds", "agent_queue_waiting",
}  # fmt: skip


@pytest.fixture
async def store(database: str, servers: Servers) -> AsyncIterator[FencedStore]:
    async with FencedStore.opened(database, servers.redis_url) as opened:
        yield opened


def _values(text: str) -> dict[str, float]:
    """Each sample of the text, after its form was checked line by line."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_]+(?:\{le="[^"]+"\})?) (-?[0-9.e+-]+)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


@pytest.mark.requirement("1.20")
async def test_two_stores_that_answer_are_healthy(store: FencedStore) -> None:
    found = await health(store)
    assert found["status"] == found["postgres"]["status"] == found["redis"]["status"] == "healthy"
    assert re.fullmatch(r"\d{4}", found["postgres"]["revision"])
    assert found["redis"]["breaker"] == "closed"


@pytest.mark.requirement("1.20")
async def test_a_store_that_does_not_answer_is_degraded_and_the_other_is_not(
    database: str, servers: Servers, tmp_path: Path
) -> None:
    async with FencedStore.opened(database, f"unix://{tmp_path}/nothing.sock") as store:
        found = await health(store)
        assert (found["status"], found["postgres"]["status"]) == ("degraded", "healthy")
        assert found["redis"]["status"] == "degraded"
        assert found["redis"]["error"]
        away = Connections(f"postgresql://nobody@/none?host={tmp_path}", patience=0.0)
        store.connections, kept = away, store.connections
        found = await health(store)
        store.connections = kept
    assert found["postgres"]["status"] == "degraded"
    assert "does not answer" in found["postgres"]["error"]


@pytest.mark.requirement("1.19", "4.37")
async def test_metrics_tell_what_was_measured_under_their_names(store: FencedStore, tmp_path: Path) -> None:
    app = build(Settings(tmp_path / "home"), store=store)
    principal = new_id()
    handle, _ = await app.games.start(Where.of("cloak"), principal, name="Ann")
    for _ in range(30):
        await app.games.act(handle, principal, "look")
        for _ in range(4):
            await store.members(new_id())
    # Between turns the copy is filled in, and read from then on.
    for _ in range(1000):
        await app.games.observe(handle, principal)
        if store.hot.stats.hit_rate > 0.5:
            break
    text = await metrics(store, app.games, datetime.now(UTC))
    await app.games.close()
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == NAMES
    values = _values(text)
    assert values["active_players_total"] == 1
    assert values["agent_execution_time_seconds_count"] == 30
    assert values["games_held"] == 1
    assert values["game_state_instances"] > 3
    assert values["player_progress_write_latency_seconds_count"] == 31
    assert values['player_progress_write_latency_seconds_bucket{le="+Inf"}'] == 31
    assert values["player_progress_write_latency_seconds_sum"] > 0
    assert values["database_query_duration_seconds_count"] >= 30
    assert values["database_connections_reused"] > 0.95
    assert values["player_progress_cache_hit_rate"] > 0.5
    assert values["process_resident_memory_bytes"] > 10_000_000


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram("x_seconds", "Of x.", (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        histogram.observe(seconds)
    assert histogram.render().splitlines() == [
        "# HELP x_seconds Of x.", "# TYPE x_seconds histogram", 'x_seconds_bucket{le="0.1"} 2',
        'x_seconds_bucket{le="1"} 3', 'x_seconds_bucket{le="+Inf"} 4', "x_seconds_sum 3.65", "x_seconds_count 4",
    ]  # fmt: skip
