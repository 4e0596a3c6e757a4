"""Pages that are changed by many chat clients at once, while the daemon is killed."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mcp.patches import run
from mcp_server.daemon.place import Place
from storage.embedded import Servers


@pytest.mark.requirement("0.20", "0.42")
def test_every_patch_that_was_acknowledged_is_a_commit_although_the_daemon_is_killed(
    tmp_path: Path, servers: Servers, fresh_database: str
) -> None:
    home = tmp_path / "home"
    settings = {
        "RULEBOUND_HOME": str(home),
        "RULEBOUND_DATABASE_URL": fresh_database,
        "RULEBOUND_REDIS_URL": servers.redis_url,
    }
    environment = {**os.environ, **settings}
    create = [sys.executable, "-m", "rulebound", "kb", "create", "wiki", "--visibility", "shared"]
    subprocess.run(create, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
    try:
        outcome = asyncio.run(run(environment, home, clients=4, patches=8, kills=2))
    finally:
        Place(home).stop()
    assert len(outcome.seconds) == 32
    assert len(outcome.acknowledged) + outcome.unknown >= 32
    assert outcome.conflicts, "they never met"
    assert outcome.missing_commits == []
    assert outcome.wrong_lines == {}
