"""Owns the numbers about models' calls, as Prometheus reads them.

`Measures` is fed by the client; `docs/operators/models.md` explains each. Labels are names of ours and of the operator's. It must
not know what was asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from agents.models.model import Purpose, Usage
from storage.metrics import Histogram, counter, family, gauge

BUCKETS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000)
"""Milliseconds."""


class Measures:
    """Of one process since its start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        """By purpose and outcome (`ok`, or the kind of the error)."""
        self.calls: Counter[tuple[str, str]] = Counter()
        """Requests that left the process, by provider and outcome."""
        self.tokens: Counter[tuple[str, str, str]] = Counter()
        self.cost: Counter[str] = Counter()
        self.took = Histogram("agent_response_time_ms", "From a request to its answer, milliseconds.", BUCKETS)
        self.queued = Histogram("agent_queue_seconds", "How long a call waited for a place at its provider.")

    def asked(self, purpose: Purpose, outcome: str, seconds: float) -> None:
        """A caller's request came to an end."""
        self.requests[purpose, outcome] += 1
        self.took.observe(seconds * 1000)

    def called(self, usage: Usage, outcome: str) -> None:
        """A provider was asked."""
        self.calls[usage.provider, outcome] += 1
        for kind, count in (
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
        ):
            self.tokens[usage.provider, usage.model, kind] += count
        # Counter holds floats as well as it holds ints.
        self.cost[usage.provider] += usage.cost  # pyright: ignore[reportArgumentType]

    def purposes(self, off: Collection[str]) -> dict[str, Any]:
        """Of each purpose that was asked for, or is `off`: `on`, `requests`, and the share of them that was `answered`."""
        found: dict[str, Any] = {}
        for purpose in sorted({*off, *(purpose for purpose, _ in self.requests)}):
            total = sum(count for (each, _), count in self.requests.items() if each == purpose)
            answered = self.requests[purpose, "ok"] / total if total else None
            found[purpose] = {"on": purpose not in off, "requests": total, "answered": answered}
        return found

    def render(self, waiting: Mapping[str, int], broken: Mapping[str, bool], today: float) -> str:
        """`waiting` calls and whether the breaker is open, by provider; what was spent `today`, US dollars."""
        total = sum(self.requests.values())
        failed = total - sum(count for (_, outcome), count in self.requests.items() if outcome == "ok")
        return "".join(
            (
                family("agent_requests_total", "counter", "Requests to models, by purpose and outcome.", (
                    ({"purpose": purpose, "outcome": outcome}, count)
                    for (purpose, outcome), count in self.requests.items()
                )),
                self.took.render(),
                gauge("agent_error_rate", "Share of the requests that got no answer.", failed / total if total else 0),
                family("agent_model_usage_total", "counter", "Tokens by provider, model and kind; cached ones are input too.", (
                    ({"provider": provider, "model": model, "kind": kind}, count)
                    for (provider, model, kind), count in self.tokens.items()
                )),
                counter("llm_api_calls_total", "Calls of models, tries that failed included.", sum(self.calls.values())),
                family("llm_provider_calls_total", "counter", "Calls by provider and outcome.", (
                    ({"provider": provider, "outcome": outcome}, count)
                    for (provider, outcome), count in self.calls.items()
                )),
                family("llm_cost_usd_total", "counter", "What calls took, US dollars.", (
                    ({"provider": provider}, cost) for provider, cost in self.cost.items()
                )),
                gauge("llm_cost_daily_usd", "What models cost since midnight UTC, in US dollars.", today),
                self.queued.render(),
                family("agent_queue_waiting", "gauge", "Calls that wait for a place, by provider.", (
                    ({"provider": provider}, count) for provider, count in waiting.items()
                )),
                family("llm_breaker_open", "gauge", "1 while a provider is left alone.", (
                    ({"provider": provider}, float(each)) for provider, each in broken.items()
                )),
            )
        )  # fmt: skip


def none() -> str:
    """What is exported where no model is configured."""
    return Measures().render({}, {}, 0.0)
