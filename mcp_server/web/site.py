"""Owns how a server is reached, as `rulebound serve` was asked. It must not know what is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """How this server is reached."""

    host: str = "127.0.0.1"
    port: int = 0
    trust_loopback: bool = False
    """Whoever is on this machine and shows no credential is its owner."""
    worker: int = 0
    workers: Sequence[str] = ()
    """The private sockets of all workers, by number; this one is `worker`."""
