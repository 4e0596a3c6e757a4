"""Owns `rulebound models`: the providers, whether each answers, what it takes, and what was spent today.

`models(as_json=…, call=…)`. It must not know how providers are asked.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

from agents.models.client import Client
from agents.models.model import ModelError, asked
from agents.models.prices import known
from rulebound.app import open_app, open_model
from rulebound.settings import Settings

NONE = """No model is configured. Every world plays without one; for free speech, judgements and voices name one:
  RULEBOUND_MODEL=MODEL RULEBOUND_MODEL_URL=http://127.0.0.1:8080/v1     an OpenAI-compatible server
  RULEBOUND_MODEL=PROVIDER/MODEL RULEBOUND_MODEL_KEY=…                    any provider that litellm knows
or write {file}: see docs/operators/models.md."""
PATIENCE = 60.0
"""Seconds for a test call: a local model may have to be loaded first."""


def models(*, as_json: bool = False, call: bool = True) -> int:
    """Prints everything about the models; 1 where none is configured or a call fails. Raises `ConfigurationError`."""
    settings = Settings.from_environment()
    if not settings.has_models:
        print(json.dumps({"configured": False}) if as_json else NONE.format(file=settings.models_file))
        return 1
    found = asyncio.run(_found(settings, call=call))
    print(json.dumps(found, indent=1) if as_json else _told(found))
    return 0 if all(each.get("call", {}).get("ok", True) for each in found["providers"].values()) else 1


async def _found(settings: Settings, *, call: bool) -> dict[str, Any]:
    async with open_app(settings) as app, open_model(settings, app.store.ledger) as client:
        assert client is not None, "a model is configured"
        said = client.configuration
        health = client.health()["providers"]
        providers: dict[str, Any] = {}
        for name, provider in said.providers.items():
            prices = known(provider)
            providers[name] = {
                **health[name],
                "url": provider.url,
                "key": bool(provider.key),
                "concurrency": provider.concurrency,
                "prices": None if prices is None else asdict(prices),
                **({"call": await _called(client, name)} if call else {}),
            }
        spent = await client.accounts.today()
    total = spent.pop("", None)
    return {
        "configured": True,
        "default": said.default,
        "label": said.label or said.default[0],
        "off": sorted(said.off),
        "embedding": said.embedding,
        "providers": providers,
        "budget": {"everybody": asdict(said.everybody), "each": asdict(said.each)},
        "today": {"calls": total.calls if total else 0, "cost": total.cost if total else 0.0, "principals": len(spent)},
    }


async def _called(client: Client, name: str) -> dict[str, Any]:
    """A real call: whether it was answered, in which time, at what cost."""
    said, begin = client.configuration, time.perf_counter()
    request = asked(
        "Answer with one word.", "Say: ready", purpose="test", max_tokens=16, model=name, deadline=PATIENCE,
        priority="background",
    )  # fmt: skip
    try:
        if name == said.embedding and name not in (*said.default, said.label):
            vectors = await client.embed(["ready"], deadline=PATIENCE)
            told: dict[str, Any] = {"text": f"a vector of {len(vectors[0])} numbers", "cost": 0.0}
        else:
            answer = await client.chat(request)
            told = {"text": answer.text.strip()[:60], "cost": answer.usage.cost}
    except ModelError as error:
        return {"ok": False, "kind": error.kind, "error": str(error), "hint": error.hint}
    return {"ok": True, "milliseconds": round((time.perf_counter() - begin) * 1000, 1), **told}


def _told(found: dict[str, Any]) -> str:
    lines: list[str] = []
    for name, each in found["providers"].items():
        place = each["url"] or "litellm's address"
        uses = [use for use in ("label", "embedding") if found[use] == name]
        if name in found["default"]:
            uses.insert(0, f"default {found['default'].index(name) + 1}")
        lines.append(f"{name}  {each['model']} at {place}, through {each['through']}  [{', '.join(uses) or 'by name'}]")
        prices = each["prices"]
        cost = (
            "unknown" if prices is None else f"${prices['input']:g} in, ${prices['output']:g} out for a million tokens"
        )
        lines.append(f"  prices {cost}; {each['concurrency']} calls at once; breaker {each['breaker']}")
        if (call := each.get("call")) is None:
            continue
        if call["ok"]:
            lines.append(f"  ok: {call['text']!r} in {call['milliseconds']:g} ms for ${call['cost']:.6f}")
        else:
            lines.append(f"  FAILED ({call['kind']}): {call['error']}. {call['hint']}")
    if found["off"]:
        lines.append(f"switched off: {', '.join(found['off'])}")
    today = found["today"]
    lines.append(f"today (UTC): {today['calls']} calls, ${today['cost']:.4f}, {today['principals']} principals")
    for whose, limits in (("everybody", found["budget"]["everybody"]), ("each principal", found["budget"]["each"])):
        calls = "any number of" if limits["calls"] is None else limits["calls"]
        cost = "any cost" if limits["cost"] is None else f"${limits['cost']:g}"
        lines.append(f"budget a day for {whose}: {calls} calls, {cost}")
    return "\n".join(lines)
