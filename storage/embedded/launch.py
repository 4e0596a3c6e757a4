"""Owns starting one server as nobody's child: a lock that lives as long as it does, no root, its output in a log.

Run as `python -I -S launch.py JSON` (standard library only: it is a program of its own, so that a process with threads
never forks); `started` tells who a process id is. It must not know which server it starts.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl
    import pwd

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION = 0x20080522


def started(pid: int) -> str | None:
    """What no other process with this id shares: when it started, in which boot. None: there is none, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        asked = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, since = asked.stdout.strip().partition(" ")
        return since.strip() if since and not state.startswith("Z") else None
    return None if stat[0] in "ZX" else f"{boot}/{stat[19]}"


def name(uid: int) -> bool:
    """Whether a user id has a name; PostgreSQL wants one."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def unprivileged() -> pwd.struct_passwd:
    """A user who is not root: nobody, where there is one."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(user for user in pwd.getpwall() if user.pw_uid)


def become_ordinary(data: Path) -> None:
    """PostgreSQL refuses to run as root and as a user without a name: be an ordinary user who may read and write `data`.

    A user namespace changes nothing but what the process is told of itself; where there are none (many containers),
    root becomes the owner of `data`, or nobody, and keeps no right of root but that to reach its files.
    """
    uid = os.geteuid()
    if uid and name(uid):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    user = unprivileged()
    owner = data.stat().st_uid if data.exists() else uid
    if owner == uid and hasattr(libc, "unshare"):
        gid = os.getegid()
        if libc.unshare(CLONE_NEWUSER) == 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user.pw_uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{user.pw_gid} {gid} 1")
            return
    if uid:
        raise PermissionError(f"user {uid} has no name, and this machine allows no user namespaces")
    if owner:
        user = pwd.getpwuid(owner)
    elif data.exists():
        for path in (data, *data.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    _change_user(libc, user.pw_uid, user.pw_gid)


def _change_user(libc: Any, uid: int, gid: int) -> None:
    """Leaves root for good, and keeps (on Linux) the right to pass folders such as /root."""
    linux = sys.platform == "linux"
    if linux:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if linux:
        bit = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main() -> None:
    """Starts what the argument says: `command`, `environment`, `data` (null: whoever we are may run it), and for a server
    `lock` and `log`; without these it is a tool, which ends with whoever waits for it. Errors go to standard error."""
    wanted = json.loads(sys.argv[1])
    os.umask(0o077)
    if wanted.get("lock") is None:
        if wanted["data"] is not None:
            become_ordinary(Path(wanted["data"]))
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
        os.execve(wanted["command"][0], wanted["command"], wanted["environment"])  # noqa: S606
    lock = os.open(wanted["lock"], os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # whoever was killed right after asking for this server got it
        sys.exit(0)
    os.set_inheritable(lock, True)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        problem = os.read(told, 4096)
        os.write(2, problem)
        sys.exit(1 if problem else 0)
    try:
        os.setsid()
        os.chdir("/")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        identity = f"{os.getpid()} {started(os.getpid())}\n".encode()
        os.ftruncate(lock, 0)
        if os.write(lock, identity) != len(identity):
            raise OSError(28, os.strerror(28), wanted["lock"])
        if wanted["data"] is not None:
            become_ordinary(Path(wanted["data"]))
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execve(wanted["command"][0], wanted["command"], wanted["environment"])  # noqa: S606
    except BaseException as error:
        os.write(tell, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)


if __name__ == "__main__":
    main()
