"""Owns running a model on this machine: one server for all processes, which ends when nobody uses it.

`with local_model("smollm2", home) as place`, or `Local(name, home).acquire()` and `release()`. It must not know what the
model is asked.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agents.local import serve, weights
from agents.local.errors import LocalError
from storage.embedded import Shared, process
from storage.embedded.run import run_folder
from storage.embedded.server import Server
from storage.embedded.wire import Refused

CALM = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
"""Threads that wait sleep; else they take the processor from everybody else on a busy machine."""
PATIENCE = 5.0
"""Seconds that the server may take to say that it is well."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model answers in the manner of OpenAI: the base URL, the key that it wants, the name that it goes by."""

    url: str
    key: str
    model: str


class Llama(Server):
    """llama.cpp's server with one model, on a free port of loopback."""

    stops = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, folder: Path, name: str, file: Path, context: int):
        self.name = name
        super().__init__(folder)
        self._file, self._context = file, context

    def socket(self, run: Path) -> Path:
        return run / "place.json"

    def url(self, run: Path) -> str:
        return self.place(run).url

    def place(self, run: Path) -> Place:
        """Where it listens. Raises OSError when it does not."""
        written = json.loads(self.socket(run).read_bytes())
        return Place(written["url"], written["key"], self.name)

    def version(self, run: Path) -> str:
        if not process.held(self.lock):  # somebody else may have that port by now
            raise ConnectionRefusedError(f"{self.name} does not run")
        where = urlsplit(self.url(run))
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/health")
            if (status := connection.getresponse().status) != http.HTTPStatus.OK:
                raise Refused(str(status), "it loads its model")
        finally:
            connection.close()
        return importlib.metadata.version("xllamacpp")

    def launch(self, run: Path) -> None:
        with suppress(FileNotFoundError):
            self.socket(run).replace(self.socket(run).with_suffix(".old"))
        wanted = {
            "model": str(self._file),
            "name": self.name,
            "context": self._context,
            "threads": min(2, os.cpu_count() or 1),
            "place": str(self.socket(run)),
            "folder": str(self.services),
        }
        command = [sys.executable, "-I", serve.__file__, json.dumps(wanted)]
        process.run(command, lock=self.lock, log=self.log, environment=CALM)


class Local(Shared):
    """One installed model, for one process. Raises `LocalError` where it or the extra is missing."""

    def __init__(self, name: str, home: Path):
        found = weights.known(name)
        file = weights.path(name, home.resolve())
        if not file.exists():
            raise LocalError(f"the model {name} is not installed", f"Install it: rulebound local install {name}")
        if importlib.util.find_spec("xllamacpp") is None:
            raise LocalError("xllamacpp, which runs models, is missing", "Install it: pip install 'rulebound[local]'")
        folder = file.with_suffix("")
        self._server = Llama(folder, name, file, found.context)
        super().__init__(folder, [self._server])

    def acquire(self) -> Place:
        """Where the model answers; this process is one of its users from now on. Raises `ServiceError`."""
        self.start()
        return self.place

    @property
    def place(self) -> Place:
        """Where the model answers. Raises OSError while it does not run."""
        return self._server.place(run_folder(self._services))


@contextmanager
def local_model(name: str, home: Path) -> Generator[Place]:
    """An installed model that answers, as long as the block lasts. Raises `LocalError` or `ServiceError`."""
    local = Local(name, home)
    place = local.acquire()
    try:
        yield place
    finally:
        local.release()
