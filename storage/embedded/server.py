"""Owns what both servers have in common: attach, start, wait, stop. A subclass says how its server is asked and started.

Every method is called under the supervisor's lock. It must not know who uses a server, nor signal one by its id alone.
"""

from __future__ import annotations

import shutil
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path

from storage.embedded import process
from storage.embedded.errors import DiskFull, NotAnswering, ServiceError
from storage.embedded.wire import FULL, Refused

SILENCE = 15.0
"""Seconds that a living server may say nothing."""
START = 60.0
"""Seconds that one may say nothing that was just started."""
RECOVERY = 600.0
"""Seconds that either may say that it is not ready yet."""
LOG, ROOM = 2**20, 2**20


class Server(ABC):
    """One server of a `services` folder; `run` is the folder of its socket."""

    name: str
    stops: tuple[signal.Signals, ...]
    """From polite to final; each leaves what was committed safe."""

    def __init__(self, services: Path):
        self.services = services
        self.lock = services / f"{self.name}.lock"
        self.log = services / f"{self.name}.log"
        self._logged = 0

    @abstractmethod
    def socket(self, run: Path) -> Path: ...

    @abstractmethod
    def url(self, run: Path) -> str: ...

    @abstractmethod
    def version(self, run: Path) -> str:
        """The handshake: the version of a server that is ready and is ours. Raises `Refused` or OSError."""

    @abstractmethod
    def launch(self, run: Path) -> None:
        """Starts the process, its files made or checked first. Raises `ServiceError`."""

    def failed(self, said: str) -> ServiceError:
        """The error for a server that ended with these words in its log; a full disk may have kept it from saying any."""
        if shutil.disk_usage(self.services).free < ROOM:
            return DiskFull(f"there is no room in {self.services}")
        return process.failure(self.name, said)

    def look(self, run: Path) -> tuple[str, str]:
        """`ready`, `starting` or `silent`, and the version where it is told."""
        try:
            return "ready", self.version(run)
        except Refused as refused:
            return ("ready" if refused.code == FULL else "starting"), ""
        except OSError:
            return "silent", ""

    def begin(self, run: Path) -> bool:
        """Attaches (False), or starts the process (True) and leaves the waiting to `finish`."""
        if self.look(run)[0] == "ready" or self._settled(run, SILENCE):
            return False
        if process.held(self.lock):
            if self.socket(run).exists():
                raise NotAnswering(f"{self.name} (process {process.pid_of(self.lock)}) does not answer at {run}")
            self.stop(SILENCE)
        if self.log.exists() and self.log.stat().st_size > LOG:
            self.log.unlink()
        self._logged = self.log.stat().st_size if self.log.exists() else 0
        self.launch(run)
        return True

    def finish(self, run: Path) -> None:
        """Waits until a server that `begin` started is ready. Raises `ServiceError` with its own words if it ended."""
        if not self._settled(run, START):
            if process.held(self.lock):
                raise NotAnswering(f"{self.name} was started and does not answer at {run}; see {self.log}")
            with self.log.open(encoding="utf-8", errors="replace") as log:
                log.seek(self._logged)
                raise self.failed(log.read())

    def _settled(self, run: Path, patience: float) -> bool:
        """Waits for a server that may be alive: True when it is ready, False when it is gone or silent for too long."""
        began = heard = time.monotonic()
        pause = 0.002
        while process.held(self.lock):
            state, _ = self.look(run)
            now = time.monotonic()
            if state == "starting":
                heard = now
            if state == "ready":
                return True
            if now - heard > patience or now - began > RECOVERY:
                break
            time.sleep(pause)
            pause = min(pause * 1.3, 0.05)
        return False

    def stop(self, patience: float) -> None:
        """Ends the server and waits until its last process is gone; nothing when it does not run."""
        for number in self.stops:
            if not process.held(self.lock):
                return
            process.send(self.lock, number)
            if process.wait(lambda: not process.held(self.lock), patience):
                return
        raise NotAnswering(f"{self.name} (process {process.pid_of(self.lock)}) does not end; see {self.log}")
