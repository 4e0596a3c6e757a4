"""Owns how a model on this machine is asked: as a provider among others. `async with Client(configured(place)) as model`.

It must not know how the model is run.
"""

from __future__ import annotations

from agents.local.server import Place
from agents.models.configuration import Configuration, Prices, Through


def configured(place: Place, through: Through = "http") -> Configuration:
    """A configuration that asks the model at a place for everything, at no price."""
    return Configuration.one(
        url=place.url,
        model=place.model if through == "http" else f"openai/{place.model}",
        key=place.key,
        name="local",
        through=through,
        prices=Prices(0, 0),
        grammar=True,
        concurrency=1,  # the server would let others wait too, but not fairly
        timeout=120.0,
    )
