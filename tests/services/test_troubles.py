"""Disks that are full and folders that are not as they were left: each is told, and what was there stays."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storage.embedded import DamagedData, DiskFull, OtherVersion, Supervisor

Member = Callable[..., "subprocess.Popen[str]"]
Ask = Callable[..., list[list[str | None]]]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of 100 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    Supervisor(folder).stop(force=True)
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    """Leaves no room on a disk."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(2**16)):
            pass


@pytest.mark.requirement("2.15")
def test_a_full_disk_is_told_and_the_data_is_there_when_there_is_room_again(small: Path, ask: Ask) -> None:
    supervisor = Supervisor(small)
    supervisor.acquire()
    ask(supervisor, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)")
    supervisor.release()
    fill(small)
    with pytest.raises(DiskFull) as told:
        supervisor.acquire()
    assert told.value.hint.startswith("Make room")
    assert {server.state for server in supervisor.status().servers} == {"stopped"}
    (small / "filler").unlink()
    supervisor.acquire()
    assert ask(supervisor, "SELECT id FROM t") == [["7"]]
    supervisor.release()


def test_a_cluster_that_finds_no_room_is_taken_away_again(empty: Path, member: Member) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    starter = member(empty, preexec_fn=limit)
    assert starter.stdout is not None
    assert starter.stdout.readline().startswith("DiskFull")
    assert [path.name for path in (empty / "services").glob("postgres*") if path.is_dir()] == []
    supervisor = Supervisor(empty)
    supervisor.acquire()
    supervisor.release()


def test_a_folder_of_someone_else_is_told_and_left_as_it_is(empty: Path) -> None:
    folder = empty / "services/postgres"
    folder.mkdir(parents=True)
    (folder / "letters.txt").write_text("dear")
    supervisor = Supervisor(empty)
    with pytest.raises(DamagedData, match="no data folder"):
        supervisor.acquire()
    assert [path.name for path in folder.iterdir()] == ["letters.txt"]
    assert {server.state for server in supervisor.status().servers} == {"stopped"}


@pytest.mark.parametrize("file", ["global/pg_control", "postgresql.conf", "pg_wal"])
def test_a_damaged_cluster_is_told_with_the_servers_own_words(home: Path, file: str) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    supervisor.release()
    path = home / "services/postgres" / file
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.write_bytes(b"?" * 100)
    with pytest.raises(DamagedData) as told:
        supervisor.acquire()
    assert str(home / "services/postgres") in str(told.value)
    assert supervisor.status().users == ()


def test_a_cluster_of_another_major_version_is_told_before_it_is_touched(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    supervisor.release()
    (home / "services/postgres/PG_VERSION").write_text("17\n")
    with pytest.raises(OtherVersion, match="PostgreSQL 17; this one is 18"):
        supervisor.acquire()
