"""A short form of `python tasks.py bench chaos`: real workers and servers, each kind of harm once, and the control."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.run import run

pytestmark = pytest.mark.anyio
HARM = (
    "kill a worker",
    "roll Valkey back",
    "cut a worker off from PostgreSQL",
    "kill a backend of PostgreSQL",
    "cut a worker off from Redis",
    "kill PostgreSQL",
    "pause a worker",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: a socket's path has at most 103 bytes."""
    made = Path(tempfile.mkdtemp(prefix="rb-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.requirement("1.07", "2.01", "2.13", "2.15", "3.08", "3.16")
async def test_no_turn_is_lost_or_done_twice_and_nothing_old_is_read_whatever_is_killed(folder: Path) -> None:
    report = await run(folder, faults=HARM, workers=2, players=(3, 3), longest=0.5)
    assert not report.verdict.broken, report.verdict.examples
    assert sum(report.faults.values()) == len(HARM)
    assert report.verdict.turns > 20
    assert report.verdict.replayed >= report.verdict.turns
    assert not report.ends, report.said


async def test_the_dual_write_under_the_same_harm_is_caught(folder: Path) -> None:
    report = await run(folder, faults=["roll Valkey back"], naive=True, workers=2, players=(2, 2))
    assert report.verdict.broken["stale"], report.verdict
    assert report.verdict.broken["acknowledged and lost"], report.verdict
