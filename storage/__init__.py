"""Owns keeping games: the `Store` protocol, the in-memory store, PostgreSQL and Redis. It must not know rules or pages."""

from storage.ids import is_id, new_id
from storage.memory import MemoryStore
from storage.records import (
    NEW,
    Commit,
    GameRecord,
    Loaded,
    Part,
    Player,
    Progress,
    ProgressEvent,
    Seat,
    Told,
    TurnRecord,
)
from storage.store import Conflict, Damaged, Full, KnownTurn, NoSuchGame, Store, StoreAway, StoreError

__all__ = [
    "NEW",
    "Commit",
    "Conflict",
    "Damaged",
    "Full",
    "GameRecord",
    "KnownTurn",
    "Loaded",
    "MemoryStore",
    "NoSuchGame",
    "Part",
    "Player",
    "Progress",
    "ProgressEvent",
    "Seat",
    "Store",
    "StoreAway",
    "StoreError",
    "Told",
    "TurnRecord",
    "is_id",
    "new_id",
]
