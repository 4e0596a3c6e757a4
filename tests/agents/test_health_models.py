"""Operators see the models beside the stores."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.health import health, metrics
from agents.models import asked
from agents.models.client import Client
from agents.models.configuration import Configuration
from evals.scripted import Answer, Fault, serving
from mcp_server.web.metrics import gathered
from rulebound.app import build
from rulebound.settings import Settings
from storage.embedded import Servers
from storage.fenced import FencedStore

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("0.17", "3.09")
async def test_models_are_in_the_metrics_and_in_the_health_of_a_worker(
    database: str, servers: Servers, tmp_path: Path
) -> None:
    def decide(talk: object) -> Answer:
        return Answer("Hi.", fault=Fault("500", times=99) if len(server.requests) else None)

    with serving(decide) as server:
        async with (
            FencedStore.opened(database, servers.redis_url) as store,
            Client(
                Configuration.one(url=f"{server.url}/v1", model="m"), ledger=store.ledger, chance=lambda: 0
            ) as model,
        ):
            app = build(Settings(tmp_path / "home"), store=store)
            request = asked("s", "Hi", purpose="test")
            await model.chat(request)
            assert (await health(store, models=model))["status"] == "healthy"
            for _ in range(2):
                with pytest.raises(Exception, match="default"):
                    await model.chat(request)
            found = await health(store, models=model)
            assert (found["status"], found["postgres"]["status"]) == ("degraded", "healthy")
            assert found["models"]["providers"]["default"]["breaker"] == "open"
            text = gathered({"w1": await metrics(store, app.games, datetime.now(UTC), model)})
            assert 'agent_requests_total{outcome="ok",purpose="test",worker="w1"} 1.0' in text
            assert 'llm_provider_calls_total{outcome="unavailable",provider="default",worker="w1"} 5.0' in text
            assert 'llm_breaker_open{provider="default",worker="w1"} 1.0' in text
            await app.games.close()
