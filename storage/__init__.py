"""Owns keeping games: the `Store` protocol and the in-memory store. It must not know rules or pages."""

from storage.memory import MemoryStore
from storage.store import Conflict, GameRecord, NoSuchGame, Store, StoreError, TurnRecord

__all__ = ["Conflict", "GameRecord", "MemoryStore", "NoSuchGame", "Store", "StoreError", "TurnRecord"]
