"""Owns leaderboards: sorted sets that are made from the database and kept for five minutes.

`await boards.top("woods", "distance", 10, load)`. It must not know how scores are computed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from storage.redis.client import RedisClient, Script
from storage.redis.link import RedisAway

_FILL = Script.of("""
-- ARGV: seconds, then scores and names. Who comes second leaves what the first has made.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for at = 2, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")
_RAISE = Script.of("""
-- ARGV: score, name. Only where there is a board: one with a single name in it would be taken for the whole.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2])
return 1
""")


class Leaderboards:
    """Boards may be `seconds` old, but a score that was told to `raise_to` is in them at once."""

    def __init__(self, client: RedisClient, *, seconds: int = 300):
        self._client, self._seconds = client, seconds

    @staticmethod
    def _key(experience: str, board: str) -> str:
        return f"experience:{{{experience}}}:leaderboard:{board}"

    async def top(
        self, experience: str, board: str, count: int, load: Callable[[], Awaitable[Mapping[str, float]]]
    ) -> Sequence[tuple[str, float]]:
        """The best, highest score first; `load` gives all scores by name where there is no board, or no Redis."""
        key = self._key(experience, board)
        with suppress(RedisAway):
            flat = await self._client.call("ZREVRANGE", key, 0, count - 1, "WITHSCORES")
            if flat:
                return [(name.decode(), float(score)) for name, score in zip(flat[::2], flat[1::2], strict=True)]
        scores = await load()
        if scores:
            pairs = [value for name, score in scores.items() for value in (score, name)]
            with suppress(RedisAway):
                await self._client.run(_FILL, [key], [self._seconds, *pairs])
        # Redis puts equal scores in falling order of the names
        return sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)[:count]

    async def raise_to(self, experience: str, board: str, name: str, score: float) -> None:
        """Takes a new score into the board unless it is lower. Raises `RedisAway`."""
        await self._client.run(_RAISE, [self._key(experience, board)], [score, name])
