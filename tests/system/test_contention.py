"""Many players reach for one thing at once, at two worker processes."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.contention import contend
from storage.embedded import Servers


@pytest.mark.requirement("0.36", "2.01", "2.17", "4.27")
def test_of_64_players_one_gets_the_thing_and_every_other_is_told_who_has_it(
    servers: Servers, fresh_database: str, tmp_path: Path
) -> None:
    result = asyncio.run(contend(tmp_path, fresh_database, servers.redis_url, 30))
    assert result.faults == []
    assert len(result.rounds) == 30
