"""Owns what a model costs where the operator does not say: litellm's own table, read without importing litellm.

`known(provider)`. It must not know calls.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import orjson

from agents.models.configuration import Prices, Provider
from storage.records import Json

_TABLE = "model_prices_and_context_window_backup.json"
_MILLION = 1_000_000


def known(provider: Provider) -> Prices | None:
    """Its prices: as it says, nothing on this machine, as litellm's table says; None: nobody knows."""
    if provider.prices is not None:
        return provider.prices
    if provider.near:
        return Prices(0.0, 0.0)
    table = _table()
    for name in (provider.model, provider.model.split("/", 1)[-1]):
        entry: Json = table.get(name) or {}
        if "input_cost_per_token" in entry and "output_cost_per_token" in entry:
            cached = entry.get("cache_read_input_token_cost")
            return Prices(
                entry["input_cost_per_token"] * _MILLION,
                entry["output_cost_per_token"] * _MILLION,
                None if cached is None else cached * _MILLION,
            )
    return None


@cache
def _table() -> Json:
    """Three megabytes, read in some 30 ms by the first who needs them."""
    found = importlib.util.find_spec("litellm")
    if found is None or found.origin is None:
        return {}
    file = Path(found.origin).parent / _TABLE
    return orjson.loads(file.read_bytes()) if file.exists() else {}
