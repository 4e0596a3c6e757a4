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
from storage.work import Due, Trouble, Untold, Work

__all__ = [
    "NEW",
    "Commit",
    "Conflict",
    "Damaged",
    "Due",
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
    "Trouble",
    "TurnRecord",
    "Untold",
    "Work",
    "is_id",
    "new_id",
]
