"""Servers start with the first user and stop with the last, whoever is killed on the way."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.embedded import Servers, Supervisor
from storage.embedded.process import held, wait

Member = Callable[..., "subprocess.Popen[str]"]
Ask = Callable[..., list[list[str | None]]]


def pids(supervisor: Supervisor) -> dict[str, int | None]:
    return {server.name: server.pid for server in supervisor.status().servers}


def states(supervisor: Supervisor) -> set[str]:
    return {server.state for server in supervisor.status().servers}


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_what_was_committed_is_there_after_the_last_user_left_and_came_back(empty: Path, ask: Ask) -> None:
    supervisor = Supervisor(empty)
    supervisor.acquire()
    ask(supervisor, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)")
    supervisor.release()
    assert states(supervisor) == {"stopped"}
    supervisor.acquire()
    assert ask(supervisor, "SELECT id FROM t") == [["7"]]
    supervisor.release()


def test_the_database_is_utf8_in_a_locale_of_no_machine_and_its_owner_is_no_superuser(home: Path, ask: Ask) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    (found,) = ask(
        supervisor,
        "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale, rolname, rolsuper, rolcreaterole"
        " FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = current_database()",
    )
    assert found == ["UTF8", "b", "C.UTF-8", "rulebound", "f", "t"]
    shown = [ask(supervisor, f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "listen_addresses")]
    assert shown == ["on", "on", ""]
    supervisor.release()


def test_a_second_user_attaches_and_the_servers_stay_until_both_have_left(home: Path, member: Member) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    before = pids(supervisor)
    other = member(home)
    assert said(other).startswith("ready")
    assert supervisor.status().users == tuple(sorted((os.getpid(), other.pid)))
    supervisor.release()
    assert pids(supervisor) == before
    other.communicate()
    assert states(supervisor) == {"stopped"}


def test_to_acquire_again_is_to_be_the_same_user_and_to_release_twice_is_to_leave_once(home: Path) -> None:
    first, second = Supervisor(home), Supervisor(home)
    assert first.acquire() == first.acquire() == second.acquire()
    assert len(second.status().users) == 2
    first.release()
    first.release()
    assert states(second) == {"ready"}
    second.release()
    assert states(second) == {"stopped"}


def test_sixteen_that_start_at_once_share_one_server_each(empty: Path, member: Member) -> None:
    members = [member(empty) for _ in range(16)]
    assert len({said(process) for process in members}) == 1
    status = Supervisor(empty).status()
    assert len(status.users) == 16
    lines = (empty / "services/postgres.log").read_text().count("starting PostgreSQL")
    assert (lines, {server.state for server in status.servers}) == (1, {"ready"})
    for process in members:
        process.communicate()
    assert states(Supervisor(empty)) == {"stopped"}


def test_a_user_that_was_killed_is_not_counted(home: Path, member: Member) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    other = member(home)
    said(other)
    other.kill()
    other.wait()
    assert supervisor.status().users == (os.getpid(),)
    supervisor.release()
    assert states(supervisor) == {"stopped"}


@pytest.mark.requirement("2.13", "2.15")
@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_server_that_was_killed_comes_back_with_what_was_committed(home: Path, ask: Ask, name: str) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    ask(supervisor, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (7)")
    before = pids(supervisor)
    killed = before[name]
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    supervisor.acquire()
    after = pids(supervisor)
    assert (after[name] == killed, states(supervisor)) == (False, {"ready"})
    assert {key for key in after if after[key] != before[key]} == {name}
    assert ask(supervisor, "SELECT id FROM t") == [["7"]]
    supervisor.release()


def test_a_start_that_was_killed_while_the_cluster_was_made_leaves_nothing(
    empty: Path, member: Member, ask: Ask
) -> None:
    starter = member(empty)
    assert wait(lambda: any(empty.glob("services/postgres.new-*")), 20)
    starter.kill()
    starter.wait()
    supervisor = Supervisor(empty)
    supervisor.acquire()
    assert ask(supervisor, "SELECT 1") == [["1"]]
    supervisor.release()
    supervisor.acquire()
    assert list(empty.glob("services/postgres.new-*")) == []
    supervisor.release()


def test_a_start_that_was_killed_while_the_server_started_is_taken_over(home: Path, member: Member, ask: Ask) -> None:
    starter = member(home)
    assert wait(lambda: held(home / "services/postgres.lock"), 20)
    starter.kill()
    starter.wait()
    supervisor = Supervisor(home)
    supervisor.acquire()
    assert ask(supervisor, "SELECT 1") == [["1"]]
    assert (home / "services/postgres.log").read_text().count("starting PostgreSQL") == 1
    supervisor.release()
    assert states(supervisor) == {"stopped"}


def test_pinned_servers_stay_until_they_are_stopped(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.pin()
    supervisor.acquire()
    supervisor.release()
    status = supervisor.status()
    assert (status.pinned, status.users, states(supervisor)) == (True, (), {"ready"})
    supervisor.stop()
    assert (supervisor.status().pinned, states(supervisor)) == (False, {"stopped"})


def test_servers_given_by_url_are_neither_started_nor_touched(empty: Path) -> None:
    supervisor = Supervisor(empty, database_url="postgresql://db/x", redis_url="redis://cache/0")
    assert supervisor.acquire() == Servers("postgresql://db/x", "redis://cache/0")
    supervisor.release()
    assert not empty.exists()
    one = Supervisor(empty, database_url="postgresql://db/x")
    one.acquire()
    assert [server.name for server in one.status().servers] == ["valkey"]
    assert not (empty / "services/postgres").exists()
    one.release()


def test_a_home_deep_in_the_tree_has_its_sockets_elsewhere(tmp_path: Path, ask: Ask) -> None:
    home = tmp_path / ("long-" * 20) / ("longer-" * 15) / "home"
    first, second = Supervisor(home), Supervisor(home)
    assert first.acquire() == second.acquire()
    assert ask(second, "SELECT 1") == [["1"]]
    first.release()
    elsewhere = Path(first.status().servers[0].address).parent
    assert elsewhere.is_dir()
    second.release()
    assert states(first) == {"stopped"}
    assert not elsewhere.exists()


def test_a_user_of_a_home_that_was_deleted_leaves_without_making_it_again(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    Supervisor(home).stop(force=True)
    shutil.rmtree(home)
    supervisor.release()
    assert not home.exists()


def test_a_forked_child_that_ends_does_not_leave_for_its_parent(home: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom storage.embedded import Supervisor\n"
        "s = Supervisor(Path(sys.argv[1])); s.acquire()\n"
        "if not os.fork(): sys.exit()\n"
        "os.wait(); print(*[server.state for server in s.status().servers])\n"
    )
    done: Any = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True)
    assert done.stdout == "ready ready\n"
    assert states(Supervisor(home)) == {"stopped"}, "the parent left at its end, without saying so"
