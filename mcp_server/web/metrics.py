"""Owns what is measured of HTTP and the WebSocket, and its exposition: `/metrics` of one worker and of all.

`Measures()` is fed by the middleware and the WebSocket; what stores and turns measure themselves is only added
(`agents.health`). It must not know players: labels are names of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.health import metrics as measured
from mcp_server.web.refusals import only
from rulebound.app import App
from storage.metrics import BUCKETS
from storage.postgres import PostgresStore

Gather = Callable[[], Awaitable[Mapping[str, str]]]
"""Asks every worker for its own exposition: the texts by the workers' names."""


class Measures:
    """The metrics of one worker. `docs/operators/live.md` explains each."""

    def __init__(self) -> None:
        disable_created_metrics()  # a second series for each; nobody asks when a counter began
        self.registry = registry = CollectorRegistry()
        self.http_seconds = Histogram(
            "http_request_duration_seconds", "Requests over HTTP, by route.", ["method", "route"],
            registry=registry, buckets=BUCKETS,
        )  # fmt: skip
        self.http_requests = Counter(
            "http_requests_total", "Requests over HTTP, by route and status.", ["method", "route", "status"],
            registry=registry,
        )  # fmt: skip
        self.connections = Gauge("ws_connections", "WebSockets that are open.", registry=registry)
        self.closed = Counter("ws_closed_total", "WebSockets that were closed, and why.", ["reason"], registry=registry)
        self.messages = Counter(
            "ws_messages_total", "What came over WebSockets, by type and what came of it.", ["type", "status"],
            registry=registry,
        )  # fmt: skip
        self.command_seconds = Histogram(
            "ws_command_duration_seconds", "From a command's arrival to its answer.", registry=registry, buckets=BUCKETS
        )
        self.events = Counter("ws_events_total", "Events that were told over WebSockets.", ["type"], registry=registry)
        self.propagation = Histogram(
            "event_propagation_seconds", "From a turn to the moment at which another player's connection is told of it.",
            registry=registry, buckets=BUCKETS,
        )  # fmt: skip
        self.errors = Counter("errors_total", "Errors that nobody expected, by type.", ["type"], registry=registry)

    def render(self) -> str:
        """Prometheus' text format 0.0.4."""
        return generate_latest(self.registry).decode()


async def exposition(app: App, measures: Measures) -> str:
    """Everything that this worker measures."""
    below = ""
    if isinstance(app.store, PostgresStore):
        below = await measured(app.store, app.games, datetime.now(UTC), app.client) + app.answering.metrics()
    return below + measures.render()


@dataclass(frozen=True, slots=True)
class _Merged:
    """What `generate_latest` takes."""

    metrics: Mapping[str, Metric]

    def collect(self) -> list[Metric]:
        return list(self.metrics.values())


def gathered(texts: Mapping[str, str]) -> str:
    """One exposition of many workers' texts, by their names: each sample with the label `worker`."""
    merged: dict[str, Metric] = {}
    for worker, text in texts.items():
        for family in text_string_to_metric_families(text):
            metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                metric.add_sample(sample.name, {"worker": worker, **sample.labels}, sample.value)
    return generate_latest(_Merged(merged)).decode()  # pyright: ignore[reportArgumentType]  # it needs `collect` alone


def routes(app: App, measures: Measures, gather: Gather | None = None) -> list[Route]:
    """`/metrics` for admins: of all workers where `gather` asks them, else of this one."""

    async def told(request: Request) -> Response:
        if (refused := only(request, "admin")) is not None:
            return refused.response
        return _text(gathered(await gather()) if gather else await exposition(app, measures))

    return [Route("/metrics", told)]


def _text(text: str) -> Response:
    return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4, "cache-control": "no-store"})
