"""Owns the embedded Valkey: a copy that is never the only one, so nothing of it is written to disk.

Reached by a socket that only this user may open. It must not know keys.
"""

from __future__ import annotations

import signal
from pathlib import Path

from storage.embedded import binaries, process
from storage.embedded.server import Server
from storage.embedded.wire import ask_valkey

SETTINGS = {
    "port": "0",
    "unixsocketperm": "600",
    "daemonize": "no",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "loglevel": "warning",
    "logfile": "",
}


class Valkey(Server):
    """Valkey without a data folder."""

    name = "valkey"
    stops = (signal.SIGTERM, signal.SIGKILL)

    def socket(self, run: Path) -> Path:
        return run / "valkey.sock"

    def url(self, run: Path) -> str:
        return f"unix://{self.socket(run)}"

    def version(self, run: Path) -> str:
        said = ask_valkey(self.socket(run), "INFO server")
        return next(line.partition(":")[2] for line in said.splitlines() if line.startswith("valkey_version:"))

    def launch(self, run: Path) -> None:
        settings = {**SETTINGS, "unixsocket": str(self.socket(run)), "dir": str(run)}
        command = [binaries.valkey(), *(word for name, value in settings.items() for word in (f"--{name}", value))]
        process.run(command, lock=self.lock, log=self.log)
