"""Ordinary turns change rows in place: PostgreSQL touches no index for them (heap-only tuples)."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from agents.worlds import Where
from rulebound.app import build
from rulebound.settings import Settings
from storage.embedded import Servers
from storage.fenced import FencedStore
from storage.testing import database as new_database

pytestmark = pytest.mark.anyio
# What is carried has an index, so that taking and dropping are the tenth of the turns that touch one.
LINES = {
    "cloak": ("west", "examine hook", "look", "east", "north", "wait", "inventory", "examine me", "west", "east"),
    "tavern": ("east", "look", "west", "talk to bodo", "inventory", "wait", "take all", "drop all", "examine bodo"),
    "wylding-woods": ("walk to 51.2001, -1.0001", "look", "talk to maeve", "nearby", "walk to 51.2003, -1.0005"),
}
ROUNDS = 8
UPDATES = """
SELECT relname::text, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
WHERE relname IN ('games', 'instances', 'progress') ORDER BY 1"""


@pytest.mark.requirement("1.02", "1.10")
async def test_nine_of_ten_updates_of_ordinary_turns_touch_no_index(tmp_path: Path, servers: Servers) -> None:
    with new_database(servers) as url:
        turns = 0
        async with FencedStore.opened(url, servers.redis_url) as store:
            app = build(Settings(tmp_path / "home"), store=store)
            for world, lines in LINES.items():
                handle, _ = await app.games.start(Where.of(world), "ann", name="Ann")
                for line in lines * ROUNDS:
                    await app.games.act(handle, "ann", line)
                    turns += 1
            await app.games.close()
        connection = await asyncpg.connect(url)
        found: dict[str, tuple[int, int]] = {}
        # The servers of the store's connections report what they did when they end.
        for _ in range(200):
            found = {row[0]: (row[1], row[2]) for row in await connection.fetch(UPDATES)}
            if found["progress"][0] >= turns:
                break
            await asyncio.sleep(0.05)
        await connection.close()
    assert found["games"][0] == found["progress"][0] == turns
    assert found["instances"][0] >= turns / 2
    for table, (updates, hot) in found.items():
        assert hot >= 0.9 * updates, (table, updates, hot)
