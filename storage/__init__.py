"""Owns keeping games: the `Store` protocol and the in-memory store. It must not know rules or pages."""

from storage.memory import MemoryStore
from storage.patch import apply, diff
from storage.store import Conflict, Damaged, Full, GameRecord, NoSuchGame, Store, StoreError, TurnRecord

__all__ = [
    "Conflict",
    "Damaged",
    "Full",
    "GameRecord",
    "MemoryStore",
    "NoSuchGame",
    "Store",
    "StoreError",
    "TurnRecord",
    "apply",
    "diff",
]
