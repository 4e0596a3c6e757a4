"""What operators are told over HTTP: metrics of one worker and of all, health, ids, the log, errors."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from mcp_server.web.metrics import exposition, gathered
from storage.postgres.connections import Connections

pytestmark = pytest.mark.anyio
DEPLOY = Path(__file__).parents[2] / "deploy"
PROMISED = {
    "http_request_duration_seconds", "http_requests_total", "agent_execution_time_seconds", "llm_api_calls_total",
    "llm_cost_daily_usd", "decision_cache_hit_rate", "database_connections_active", "database_query_duration_seconds",
    "database_transaction_rate", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
    "ws_connections", "ws_messages_total", "redis_hits_total", "redis_misses_total", "event_propagation_seconds",
    "game_state_instances",
}  # fmt: skip


async def get(worker: Any, path: str, who: str = "admin", **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(f"http://{worker.url}{path}", headers={"x-who": who, **headers})


def samples(text: str) -> dict[str, float]:
    """Each sample of an exposition, by its name and labels."""
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


@pytest.mark.requirement("2.12", "3.15", "4.45")
async def test_a_worker_exports_what_it_measured(serve: Any, joined: Any) -> None:
    worker = await serve()
    async with joined(worker, "ann") as ann, joined(await serve(), "ben") as ben:
        for client, name in ((ann, "Ann"), (ben, "Ben")):
            await client.ask("start", world="inn", player=name)
        await ben.ask("command", command="take coin")
        await ann.ask("command", command="fly to the moon")
        await ann.events(2)
        await get(worker, "/no/such/path?token=secret")
        text = (await get(worker, "/metrics")).text
    assert names(text) >= PROMISED
    found = samples(text)
    assert found["ws_connections"] == 1
    assert found["ws_messages_total{'status': 'not-understood', 'type': 'command'}"] == 1
    assert found["ws_command_duration_seconds_count"] == 1
    assert found["event_propagation_seconds_count"] == 2
    assert found["agent_execution_time_seconds_count"] == 1
    assert found["games_held"] == 1
    assert found["http_requests_total{'method': 'GET', 'route': 'none', 'status': '404'}"] == 1
    assert "secret" not in text
    assert "ann" not in text


@pytest.mark.requirement("2.12")
async def test_the_metrics_of_all_workers_are_one_exposition_with_the_worker_as_a_label(serve: Any) -> None:
    workers: dict[str, Any] = {}

    async def gather() -> dict[str, str]:
        return {name: await exposition(each.app, each.measures) for name, each in workers.items()}

    workers = {"0": await serve(gather=gather), "1": await serve()}
    await get(workers["1"], "/health")
    text = (await get(workers["0"], "/metrics")).text
    found = samples(text)
    assert found["http_requests_total{'method': 'GET', 'route': '/health', 'status': '200', 'worker': '1'}"] == 1
    assert {"ws_connections{'worker': '0'}", "ws_connections{'worker': '1'}"} <= found.keys()
    assert len(re.findall("# TYPE ws_connections gauge", text)) == 1
    assert names(text) >= PROMISED


def test_gathering_keeps_every_value_and_label() -> None:
    one = '# HELP a_total Of a.\n# TYPE a_total counter\na_total{x="1"} 2\n'
    two = (
        '# HELP a_total Of a.\n# TYPE a_total counter\na_total{x="a\\"b"} 3\n# TYPE h_seconds histogram\n'
        'h_seconds_bucket{le="0.1"} 1\nh_seconds_bucket{le="+Inf"} 2\nh_seconds_sum 5.25\nh_seconds_count 2\n'
    )
    assert samples(gathered({"0": one, "1": two})) == {
        "a_total{'worker': '0', 'x': '1'}": 2,
        "a_total{'worker': '1', 'x': 'a\"b'}": 3,
        "h_seconds_bucket{'le': '0.1', 'worker': '1'}": 1,
        "h_seconds_bucket{'le': '+Inf', 'worker': '1'}": 2,
        "h_seconds_sum{'worker': '1'}": 5.25,
        "h_seconds_count{'worker': '1'}": 2,
    }
    assert gathered({}) == ""


async def test_only_admins_read_metrics(serve: Any) -> None:
    worker = await serve()
    assert (await get(worker, "/metrics", "")).status_code == 401
    assert (await get(worker, "/metrics", "ann")).status_code == 403


@pytest.mark.requirement("2.12")
async def test_health_tells_everybody_how_the_parts_are_and_admins_why(serve: Any) -> None:
    def commits() -> dict[str, str]:
        return {"inn": "c0ffee"}

    worker = await serve(redis="unix:///nothing.sock", commits=commits)
    assert (await get(worker, "/health/live", "")).json() == {"status": "alive"}
    response = await get(worker, "/health", "")
    assert response.status_code == 200
    told = response.json()
    assert (told["status"], told["postgres"], told["redis"]) == (
        "degraded", {"status": "healthy"}, {"status": "degraded"},
    )  # fmt: skip
    assert told.keys() == {"status", "postgres", "redis", "version", "uptime"}
    full = (await get(worker, "/health")).json()
    assert full["postgres"]["revision"]
    assert full["redis"]["error"]
    assert full["errors"] == {"counts": {}, "last": []}
    assert full["between_turns"]
    assert full["worlds"] == {"inn": "c0ffee"}


async def test_a_worker_without_its_database_cannot_serve_and_lives(serve: Any, tmp_path: Path) -> None:
    worker = await serve()
    store = worker.app.store
    away = Connections(f"postgresql://nobody:secret@/none?host={tmp_path}", patience=0.0)
    store.connections, kept = away, store.connections
    try:
        response = await get(worker, "/health")
        metrics = await get(worker, "/metrics")
    finally:
        store.connections = kept
    assert (response.status_code, response.json()["status"]) == (503, "unable")
    assert "secret" not in response.text
    assert (await get(worker, "/health/live")).status_code == 200
    assert metrics.status_code == 200
    assert "http_requests_total" in metrics.text


@pytest.mark.requirement("2.12")
async def test_a_request_has_an_id_and_one_line_in_the_log_without_what_was_said(serve: Any) -> None:
    worker = await serve()
    given = await get(
        worker, "/health/live?token=secret", "ann", **{"x-request-id": "from-a-proxy.1", "authorization": "secret"}
    )
    made = await get(worker, "/health/live", "ann", **{"x-request-id": "a\tb" * 100})
    assert given.headers["x-request-id"] == "from-a-proxy.1"
    assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])
    first, second = worker.lines
    assert {name: first[name] for name in first if name not in ("time", "ms")} == {
        "id": "from-a-proxy.1", "method": "GET", "route": "/health/live", "status": 200, "principal": "ann",
        "address": "127.0.0.1",
    }  # fmt: skip
    assert second["id"] == made.headers["x-request-id"]
    assert "secret" not in json.dumps(worker.lines)


@pytest.mark.requirement("2.12")
async def test_an_error_is_answered_with_its_id_counted_and_told_to_admins_without_its_message(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(request: Request) -> PlainTextResponse:
        raise ValueError("said by a player")

    async def breaks(request: Request) -> StreamingResponse:
        async def part() -> AsyncIterator[bytes]:
            yield b"begun"
            raise KeyError("said by a player")

        return StreamingResponse(part())

    worker = await serve(Route("/fails", fails), Route("/breaks", breaks))
    response = await get(worker, "/fails")
    assert response.status_code == 500
    assert response.headers["x-request-id"] in response.json()["message"]
    with caplog.at_level("ERROR"), pytest.raises(httpx2.RemoteProtocolError):
        await get(worker, "/breaks")
    errors = (await get(worker, "/health")).json()["errors"]
    assert errors["counts"] == {"ValueError": 1, "KeyError": 1}
    first, second = errors["last"]
    assert (first["id"], first["route"], second["route"]) == (response.headers["x-request-id"], "/fails", "/breaks")
    assert [line.get("error") for line in worker.lines[:2]] == ["ValueError", "KeyError"]
    assert "said by" not in json.dumps([errors, worker.lines, response.json(), caplog.text])
    assert samples((await get(worker, "/metrics")).text)["errors_total{'type': 'ValueError'}"] == 1


@pytest.mark.requirement("3.15", "4.45")
async def test_alerts_and_the_dashboard_use_metrics_that_are_exported(serve: Any) -> None:
    exported = names((await get(await serve(), "/metrics")).text)
    documented = (DEPLOY.parent / "docs" / "operators" / "live.md").read_text()
    assert exported <= set(re.findall(r"`([a-z_]+)`", documented))
    alerts = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    queries = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    queries += [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) > 20
    used = {name for query in queries for name in _metrics(query)}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in used} - {"up"} <= exported
    assert exported & {re.sub("_(bucket|count|sum)$", "", name) for name in used}


def _metrics(query: str) -> set[str]:
    """The names of metrics in a query: words that are neither functions, nor labels, nor parts of strings."""
    bare = re.sub(r'"[^"]*"|\b(by|without|on|ignoring|group_left)\s*\([^)]*\)|\{[^}]*\}|\[[^]]*\]', " ", query)
    words = re.findall(r"(?<![\w.])[a-z][a-z0-9_]+\b(?!\s*\()", bare)
    return set(words) - {"and", "or", "unless", "by", "offset", "bool"}
