"""Owns `rulebound serve`: the sockets, the lock of the home, and the workers, which are started again when they die.

One worker runs in this process; more are processes of their own on the same sockets. It must not know what is served.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import uvloop

from mcp_server.daemon.place import DaemonError, Place
from mcp_server.daemon.worker import IDLE, Options, serve
from mcp_server.web.site import Site
from rulebound import __version__
from rulebound.settings import Settings

UNREAD = 60_000
"""Milliseconds after which a connection breaks whose client takes nothing of what was sent."""
PAUSE = 1.0
"""Seconds before a worker that died is started again."""


def main(settings: Settings, options: Options, *, workers: int, say: Callable[[str], None] = lambda _: None) -> None:
    """Serves until it is told to end; one that ends when idle has no port. `say` is told the address. Raises `DaemonError`."""
    place, local = Place(settings.home), options.idle is not None
    if not local and (place.serving() or {}).get("local"):
        place.stop()  # its bridges come back to this one
    with place.held():
        port = None if local else _port(options.site)
        url = "" if port is None else settings.url or _url(options.site.host, port.getsockname()[1])
        bridges = _socket(place.socket)
        place.tell(url=url, local=local, version=__version__)

        def ready() -> None:
            if url:
                say(f"Rulebound {__version__} serves MCP at {url}/mcp")

        if workers == 1:
            _run(serve(settings, options, [port] if port else [], bridges, ready))
            return
        _Workers(place, options, port, bridges, workers).run(ready)


def local() -> None:
    """The daemon that a bridge starts: no port, and it ends when nobody uses it."""
    main(Settings.from_environment(), Options(idle=IDLE), workers=1)


def child(asked: str) -> None:
    """One worker of many; `asked` is what its parent wrote."""
    given = json.loads(asked)
    options = Options(given["worlds"], Site(**given["site"]))
    web = [socket.socket(fileno=fd) for fd in given["web"]]
    bridges = socket.socket(fileno=given["bridges"])
    serves = partial(os.close, given["serves"])
    _run(serve(Settings.from_environment(), options, web, bridges, serves, given["alive"]))


def _run(serving: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)


class _Workers:
    """Processes on the same sockets. They end when this one does, however that ends."""

    def __init__(self, place: Place, options: Options, port: socket.socket | None, bridges: socket.socket, count: int):
        self._options, self._port, self._bridges = options, port, bridges
        self._sockets = [str(_private(place, number)) for number in range(count)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ending = False
        self._alive, self._while_alive = os.pipe()

    def run(self, ready: Callable[[], None]) -> None:
        """Starts them and watches them until a signal says to end. `ready` is called when each serves, or has died."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        begun = [self._start(number) for number in range(len(self._sockets))]
        for end in begun:
            os.read(end, 1)
            os.close(end)
        ready()
        while not self._ending:
            signal.sigtimedwait([signal.SIGCHLD], PAUSE)
            for number, process in enumerate(self._processes):
                if process.poll() is not None and not self._ending:
                    os.close(self._start(number))
        for process in self._processes:
            process.wait()

    def _end(self, *_: object) -> None:
        self._ending = True
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.terminate()

    def _start(self, number: int) -> int:
        """Starts a worker in the place of the last one; gives what can be read to its end when it serves."""
        begun, serves = os.pipe()
        with _socket(Path(self._sockets[number])) as own, open(serves, "wb"):
            web = [own.fileno(), *([self._port.fileno()] if self._port else [])]
            bridges = self._bridges.fileno()
            site = asdict(replace(self._options.site, worker=number, workers=self._sockets))
            asked = {"worlds": self._options.worlds, "site": site, "web": web, "bridges": bridges}
            asked |= {"serves": serves, "alive": self._alive}
            command = [sys.executable, "-c", f"from {__name__} import child; import sys; child(sys.argv[1])"]
            fds = [*web, bridges, serves, self._alive]
            process = subprocess.Popen([*command, json.dumps(asked)], pass_fds=fds)  # noqa: S603
            self._processes[number : number + 1] = [process]
        return begun


def _port(site: Site) -> socket.socket:
    family = socket.AF_INET6 if ":" in site.host else socket.AF_INET
    try:
        port = socket.create_server((site.host, site.port), family=family, backlog=2048)
    except OSError as error:
        what = f"{site.host}:{site.port} cannot be listened on: {os.strerror(error.errno or 0)}"
        raise DaemonError(what, "Choose another with --host and --port.") from None
    if sys.platform == "linux":
        # Its connections inherit it. A client that reads nothing would keep one that we closed for ever.
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
    return port


def _url(host: str, port: int) -> str:
    near = "127.0.0.1" if host in ("0.0.0.0", "") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{near}:{port}"


def _private(place: Place, number: int) -> Path:
    """A worker's own socket, on which the others reach it."""
    return place.sockets() / f"worker-{number}.sock"


def _socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen(256)
    return made
