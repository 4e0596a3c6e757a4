"""Owns whether a server that we started still lives, and signals to it and to no other.

A server inherits a lock on its `*.lock` file: the kernel frees it when the last of its processes is gone, whatever
became of the process id. The file holds that id with the moment of its start, which a reused id does not share.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from storage.embedded import launch
from storage.embedded.errors import DiskFull, ServiceError

if sys.platform != "win32":  # where servers by URL are all there is
    import fcntl

FULL = ("No space left on device", "Disk quota exceeded", "File too large")


def held(lock: Path) -> bool:
    """Whether a process holds the lock on a file."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def pid_of(lock: Path) -> int | None:
    """The process that the lock file names, if it is still the one that wrote it."""
    try:
        pid, _, since = lock.read_text(encoding="ascii", errors="replace").strip().partition(" ")
    except FileNotFoundError:
        return None
    return int(pid) if pid.isdecimal() and since and launch.started(int(pid)) == since else None


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process may be a server whose working folder this is."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        if sys.platform == "linux":
            return False
    asked = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603
    return str(folder).encode() in asked.stdout


def send(lock: Path, number: signal.Signals) -> bool:
    """Signals the process that the lock file names; False, and nobody is signalled, when it is another one by now."""
    pid = pid_of(lock)
    if pid is None or not held(lock):
        return False
    try:
        file = os.pidfd_open(pid)
    except (AttributeError, OSError):  # macOS, old kernels; a process that is gone is found out below
        file = None
    try:
        if file is None:
            os.kill(pid, number)
        elif pid_of(lock) == pid:
            signal.pidfd_send_signal(file, number)
        else:
            return False
    except ProcessLookupError:
        return False
    finally:
        if file is not None:
            os.close(file)
    return True


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Whether something became true in time; asked more and more rarely, at most 20 times a second."""
    end, pause = time.monotonic() + seconds, 0.002
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)
    return True


def run(
    command: Sequence[str | Path],
    *,
    data: Path | None = None,
    lock: Path | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    said: str = "",
    seconds: float = 300,
) -> None:
    """Runs a tool to its end, told what is `said`, or with `lock` and `log` starts a server that outlives us. Raises `ServiceError`."""
    wanted = {
        "command": [str(word) for word in command],
        "environment": {"LC_ALL": "C", "PATH": os.defpath, **(environment or {})},
        "data": data and str(data),
        "lock": lock and str(lock),
        "log": log and str(log),
    }
    program = [sys.executable, "-I", "-S", launch.__file__, json.dumps(wanted)]
    try:
        done = subprocess.run(  # noqa: S603
            program, input=said.encode(), capture_output=True, start_new_session=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{Path(command[0]).name} did not end within {seconds:.0f} s") from error
    if done.returncode:
        answer = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise failure(Path(command[0]).name, answer or f"exit status {done.returncode}")


def failure(program: str, said: str) -> ServiceError:
    """The error that a program's words stand for."""
    kind = DiskFull if any(words in said for words in FULL) else ServiceError
    lines = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line or "rror" in line]
    return kind(f"{program} failed: {(lines or said.splitlines() or ['it said nothing'])[-1].strip()}")
