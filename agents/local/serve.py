"""Owns the process that runs one model: a program of its own, told everything by its argument, and nobody's child.

`python -I serve.py JSON`; it writes where it listens, with the key that it wants, into `place`, and ends when nobody uses
it. It must not import anything of ours: the environment's packages are all that it sees.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

if sys.platform != "win32":  # where no server of ours runs
    import fcntl

LOOK = 1.0
"""Seconds between looks at whether somebody uses it."""


def used(folder: Path) -> bool:
    """Whether the server is pinned or a process holds one of its users' files; see `storage.embedded.supervisor`."""
    if (folder / "pinned").exists():
        return True
    for path in (folder / "users").iterdir():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def before(place: Path) -> tuple[int, str]:
    """The port and the key of the server before this one, whose clients then go on; 0 and a new key where the port is taken."""
    try:
        written: dict[str, str] = json.loads(place.read_bytes())
        port = urlsplit(written["url"]).port or 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        return port, written["key"]
    except (OSError, ValueError, KeyError):
        return 0, secrets.token_urlsafe(24)


def serving(model: str, name: str, context: int, threads: int, port: int, key: str) -> Any:
    """A server on a port of loopback, its model loaded. It stops with the process."""
    import xllamacpp

    wanted: Any = xllamacpp.CommonParams()  # pyright: ignore
    wanted.model.path = model
    wanted.model_alias = {name}
    wanted.hostnames, wanted.port = ["127.0.0.1"], port
    # A page in a browser on this machine can reach the port, and so can other users: both lack the key.
    wanted.api_keys = [key]
    wanted.ui = wanted.endpoint_slots = False
    wanted.offline = True
    wanted.verbosity = 1
    wanted.n_ctx, wanted.n_predict, wanted.cache_ram_mib = context, context // 4, 256
    wanted.n_parallel, wanted.n_threads_http = 1, 4
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(wanted)  # pyright: ignore


def main() -> None:
    """Serves what the argument says: `model`, `name`, `context`, `threads`, `place`, `folder`."""
    wanted = json.loads(sys.argv[1])
    place, folder = Path(wanted["place"]), Path(wanted["folder"])
    port, key = before(place.with_suffix(".old"))
    server = serving(wanted["model"], wanted["name"], wanted["context"], wanted["threads"], port, key)
    written = place.with_suffix(".new")
    written.write_text(json.dumps({"url": f"{server.listening_address}/v1", "key": key}))
    written.replace(place)
    while True:
        time.sleep(LOOK)
        if not used(folder):
            # Whoever starts to use it holds this lock: it is gone before they look, or it stays.
            with (folder / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not used(folder):
                    os._exit(0)


if __name__ == "__main__":
    main()
