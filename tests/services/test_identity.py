"""Life is proved by a lock and an answer, never by a process id; nobody else's process is signalled."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.embedded import InUse, NotAnswering, StillUsed, Supervisor, binaries, process
from storage.embedded.launch import started


@pytest.fixture
def innocent() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with us."""
    other = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield other
    other.communicate()


@pytest.fixture
def zombie() -> Iterator[int]:
    """The id of a process that has ended and that nobody has asked after."""
    ended = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert ended.stdout is not None
    ended.stdout.read()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    yield ended.pid
    ended.communicate()


def crash(home: Path) -> None:
    """Leaves a home as a machine that lost its power does."""
    supervisor = Supervisor(home)
    supervisor.acquire()
    for server in supervisor.status().servers:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    locks = [home / "services/postgres.lock", home / "services/valkey.lock"]
    assert process.wait(lambda: not any(map(process.held, locks)), 20)
    supervisor.release()


def claim(home: Path, pid: int, since: str | None) -> None:
    """Lets every stale file of a home name a process."""
    data = home / "services/postgres/postmaster.pid"
    data.write_text("\n".join([str(pid), *data.read_text().split("\n")[1:]]))
    for name in ("postgres", "valkey"):
        (home / f"services/{name}.lock").write_text(f"{pid} {since}\n")


def test_a_stale_file_that_names_a_living_process_of_someone_else_stops_no_start_and_no_process(
    home: Path, innocent: "subprocess.Popen[bytes]"
) -> None:
    for since in ("some other moment", started(innocent.pid)):
        crash(home)
        claim(home, innocent.pid, since)
        supervisor = Supervisor(home)
        assert not process.send(home / "services/valkey.lock", signal.SIGKILL)
        supervisor.stop(force=True)
        supervisor.acquire()
        assert {server.state for server in supervisor.status().servers} == {"ready"}
        supervisor.release()
        assert innocent.poll() is None


def test_a_running_server_whose_lock_file_names_someone_else_is_not_stopped_through_that_id(
    home: Path, innocent: "subprocess.Popen[bytes]"
) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    lock = home / "services/postgres.lock"
    true = lock.read_text()
    lock.write_text(f"{innocent.pid} some other moment\n")
    assert not process.send(lock, signal.SIGINT)
    assert innocent.poll() is None
    lock.write_text(true)
    supervisor.release()


def test_a_zombie_is_not_taken_for_a_server(home: Path, zombie: int) -> None:
    os.kill(zombie, 0)
    assert started(zombie) is None
    crash(home)
    claim(home, zombie, "some moment")
    supervisor = Supervisor(home)
    supervisor.acquire()
    assert {server.state for server in supervisor.status().servers} == {"ready"}
    supervisor.release()


def test_a_server_that_someone_started_by_hand_on_our_data_is_told_and_left_alone(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    supervisor.release()
    data, lock = home / "services/postgres", home / "by-hand.lock"
    process.run(
        [binaries.postgres(), "-D", data, "-k", data, "-c", "listen_addresses="],
        data=data, lock=lock, log=home / "by-hand.log",
    )  # fmt: skip
    assert process.wait(lambda: (data / ".s.PGSQL.5432").exists(), 20)
    with pytest.raises(InUse, match="another PostgreSQL uses"):
        supervisor.acquire()
    assert process.held(lock)
    assert {server.state for server in supervisor.status().servers} == {"stopped"}
    process.send(lock, signal.SIGINT)
    assert process.wait(lambda: not process.held(lock), 20)


def test_servers_in_use_are_stopped_only_by_force(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    with pytest.raises(StillUsed, match=str(os.getpid())):
        Supervisor(home).stop()
    Supervisor(home).stop(force=True)
    assert {server.state for server in supervisor.status().servers} == {"stopped"}


def test_a_server_that_hangs_is_told_and_ended_by_force(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    pid = {server.name: server.pid for server in supervisor.status().servers}["valkey"]
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr("storage.embedded.server.SILENCE", 0.2)
        impatient.setattr("storage.embedded.wire.PATIENCE", 0.1)
        with pytest.raises(NotAnswering, match=f"valkey .process {pid}. does not answer"):
            supervisor.acquire()
    supervisor.stop(force=True)
    supervisor.acquire()
    assert {server.state for server in supervisor.status().servers} == {"ready"}
    supervisor.release()


def test_a_server_whose_socket_was_deleted_is_started_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    (home / "services/run/.s.PGSQL.5432").unlink()
    (home / "services/run/valkey.sock").unlink()
    with monkeypatch.context() as impatient:
        impatient.setattr("storage.embedded.server.SILENCE", 0.2)
        supervisor.acquire()
    assert {server.state for server in supervisor.status().servers} == {"ready"}
    supervisor.release()
