"""Owns everything that speaks to Redis or Valkey: the client, the fenced hot copy, rooms. It must not know games or rules."""

from storage.redis.breaker import Breaker
from storage.redis.client import Backoff, RedisClient, RedisStatus, Script
from storage.redis.copies import Change, Copy
from storage.redis.fence import Fence, FenceState, MemoryFence, Times
from storage.redis.hot import HotCopies
from storage.redis.link import RedisAway, RedisRefused
from storage.redis.pubsub import PubSub
from storage.redis.site import HotStats
from storage.redis.writing import Writes

__all__ = [
    "Backoff",
    "Breaker",
    "Change",
    "Copy",
    "Fence",
    "FenceState",
    "HotCopies",
    "HotStats",
    "MemoryFence",
    "PubSub",
    "RedisAway",
    "RedisClient",
    "RedisRefused",
    "RedisStatus",
    "Script",
    "Times",
    "Writes",
]
