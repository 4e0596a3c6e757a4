"""Embedded servers that are killed under an app: its own supervisor brings them back."""

import asyncio
import signal
from pathlib import Path

import pytest

from rulebound.app import open_app
from rulebound.settings import Settings
from storage.embedded import NotAnswering, ServiceError, Supervisor, process, server, wire
from storage.embedded.postgres import Postgres
from storage.fenced import FencedStore

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("2.13", "2.15", "3.08")
async def test_each_server_that_is_killed_is_brought_back_by_the_app_that_uses_it(home: Path) -> None:
    async with open_app(Settings(home)) as app:
        store = app.store
        assert isinstance(store, FencedStore)
        first = store.redis.run_id
        assert process.send(home / "services/valkey.lock", signal.SIGKILL)
        async with asyncio.timeout(60):
            while store.redis.run_id in ("", first):
                await asyncio.sleep(0.02)
        assert process.send(home / "services/postgres.lock", signal.SIGKILL)
        async with asyncio.timeout(60):
            assert (await store.player("ann", "ann")).name == "ann"


def test_a_server_that_died_is_brought_back_although_the_other_one_hangs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    assert process.send(home / "services/valkey.lock", signal.SIGSTOP)
    assert process.send(home / "services/postgres.lock", signal.SIGKILL)
    monkeypatch.setattr(server, "SILENCE", 0.5)
    monkeypatch.setattr(wire, "PATIENCE", 0.5)
    with pytest.raises(NotAnswering, match="valkey"):
        supervisor.acquire()
    states = {each.name: each.state for each in supervisor.status().servers}
    assert process.send(home / "services/valkey.lock", signal.SIGCONT)
    assert states == {"valkey": "silent", "postgres": "ready"}
    supervisor.release()


def test_a_server_that_is_killed_while_it_starts_is_not_taken_for_damaged(home: Path) -> None:
    said = (
        "LOG:  database system was interrupted\nFATAL:  the database system is starting up\n"
        "FATAL:  the database system is not yet accepting connections\nDETAIL:  Consistent recovery state …\n"
    )
    error = Postgres(home / "services").failed(said)
    assert type(error) is ServiceError, error
