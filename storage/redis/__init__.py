"""Owns everything that speaks to Redis or Valkey: the client, the fenced hot copy, rooms. It must not know games or rules."""

from storage.redis.breaker import Breaker
from storage.redis.cache import LayeredCache
from storage.redis.client import Backoff, RedisClient, RedisStatus, Script
from storage.redis.copies import Change, Copy
from storage.redis.fence import Fence, FenceState, MemoryFence, Times
from storage.redis.hot import HotCopies
from storage.redis.leaderboards import Leaderboards
from storage.redis.limits import Limits, Taken
from storage.redis.link import RedisAway, RedisRefused
from storage.redis.players import PlayerCache, PlayerEntry
from storage.redis.presence import ACTIVE, ONLINE, Presence, active_in, in_room
from storage.redis.pubsub import PubSub
from storage.redis.rooms import GLOBAL, Channel, Event, Missed, Rooms, room, user
from storage.redis.site import HotStats
from storage.redis.writing import Writes

__all__ = [
    "ACTIVE",
    "GLOBAL",
    "ONLINE",
    "Backoff",
    "Breaker",
    "Change",
    "Channel",
    "Copy",
    "Event",
    "Fence",
    "FenceState",
    "HotCopies",
    "HotStats",
    "LayeredCache",
    "Leaderboards",
    "Limits",
    "MemoryFence",
    "Missed",
    "PlayerCache",
    "PlayerEntry",
    "Presence",
    "PubSub",
    "RedisAway",
    "RedisClient",
    "RedisRefused",
    "RedisStatus",
    "Rooms",
    "Script",
    "Taken",
    "Times",
    "Writes",
    "active_in",
    "in_room",
    "room",
    "user",
]
