"""Owns how a model on this machine is asked: as two providers, since small models need labels asked for in their own way.

`async with Client(configured(place)) as model`. It must not know how the model is run.
"""

from __future__ import annotations

from dataclasses import replace

from agents.local.server import Place
from agents.models.configuration import Configuration, Prices, Provider, Through

LABELS = "local-labels"
"""The provider for labels: a plain word and its probability. JSON around it costs a small model a third of its right answers."""


def configured(place: Place, through: Through = "http") -> Configuration:
    """A configuration that asks the model at a place for everything, at no price."""
    model = place.model if through == "http" else f"openai/{place.model}"
    # One call at a time: the server would let others wait too, but not fairly.
    local = Provider(
        "local", model, place.url, place.key, through, Prices(0, 0), concurrency=1, timeout=120.0, schema=True
    )
    labels = replace(local, name=LABELS, schema=False)
    return Configuration({local.name: local, LABELS: labels}, (local.name,), label=LABELS)
