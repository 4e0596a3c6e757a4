"""PostgreSQL refuses root and users without a name; it starts for both, in a container without user namespaces too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.embedded import Supervisor

USE = """
import os, sys
from pathlib import Path
from storage.embedded import ServiceError, Supervisor
supervisor = Supervisor(Path(sys.argv[1]))
try:
    supervisor.acquire()
except ServiceError as error:
    sys.exit(f"{type(error).__name__} {error}")
print(*[server.state for server in supervisor.status().servers], os.geteuid())
supervisor.release()
"""
BECOME = """
# Runs a command with the ids that a new user namespace maps (`inside outside count`), and with as many more namespaces
# as are allowed. The child waits for its map, which only its parent may write.
import ctypes, os, sys
uid, mapped, more, *command = sys.argv[1:]
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None).unshare(0x10000000):
        os._exit(77)
    os.write(ready[1], b".")
    os.read(go[0], 1)
    open("/proc/sys/user/max_user_namespaces", "w").write(more)
    os.setgid(int(uid))
    os.setuid(int(uid))
    os.execv(command[0], command)
os.close(ready[1])
if os.read(ready[0], 1):
    open(f"/proc/{child}/setgroups", "w").write("allow" if os.geteuid() == 0 else "deny")
    for name in ("uid_map", "gid_map"):
        open(f"/proc/{child}/{name}", "w").write(mapped)
    os.write(go[1], b".")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def use(home: Path, uid: int, mapped: str, more: int) -> "subprocess.CompletedProcess[str]":
    """What a process says that uses the servers in a user namespace; skips where there are none."""
    command = [sys.executable, "-c", BECOME, str(uid), mapped, str(more), sys.executable, "-c", USE, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 77:
        pytest.skip("this machine allows no user namespaces")
    return done


pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root of Linux sets this up")
NOBODY = 65534


def test_they_start_as_root(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.acquire()
    assert {server.state for server in supervisor.status().servers} == {"ready"}
    supervisor.release()
    assert (home / "services/postgres").stat().st_uid == 0


def test_they_start_as_an_ordinary_user(empty: Path) -> None:
    done = use(empty, NOBODY, f"{NOBODY} 0 1", 0)
    assert done.stdout == f"ready ready {NOBODY}\n", done.stderr


def test_they_start_as_a_user_without_a_name(empty: Path) -> None:
    done = use(empty, 4242, "4242 0 1", 8)
    assert done.stdout == "ready ready 4242\n", done.stderr


def test_a_user_without_a_name_and_without_namespaces_is_told(empty: Path) -> None:
    done = use(empty, 4242, "4242 0 1", 0)
    assert "ServiceError" in done.stderr
    assert "user 4242 has no name" in done.stderr


def test_root_of_a_container_without_namespaces_starts_them_as_nobody_on_new_and_on_old_data(
    home: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path / "new", home):
        for _ in ("first", "again"):
            done = use(folder, 0, "0 0 65536", 0)
            assert done.stdout == "ready ready 0\n", done.stderr
        assert (folder / "services/postgres").stat().st_uid == NOBODY


def test_root_runs_the_data_of_another_user_as_that_user(home: Path) -> None:
    for path in (home / "services/postgres", *(home / "services/postgres").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    supervisor = Supervisor(home)
    supervisor.acquire()
    pid = {server.name: server.pid for server in supervisor.status().servers}["postgres"]
    assert Path(f"/proc/{pid}").stat().st_uid == NOBODY
    supervisor.release()
