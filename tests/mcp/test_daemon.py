"""The daemon and the bridge, as processes: what a chat client starts, and what `rulebound serve` runs."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from mcp_server.bridge import DIED, LEAVE
from mcp_server.daemon.place import DaemonError, Place
from storage.embedded import Servers

SPOKEN = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ACCEPT = {"accept": "application/json, text/event-stream"}
PATIENCE = 60


@dataclass
class Home:
    """A home and what processes need to use it."""

    path: Path
    environment: dict[str, str]

    @property
    def place(self) -> Place:
        return Place(self.path)


@pytest.fixture
def home(tmp_path: Path, servers: Servers, fresh_database: str) -> Iterator[Home]:
    path = tmp_path / "home"
    settings = {
        "RULEBOUND_HOME": str(path),
        "RULEBOUND_DATABASE_URL": fresh_database,
        "RULEBOUND_REDIS_URL": servers.redis_url,
    }
    yield Home(path, {**os.environ, **settings})
    Place(path).stop()


class Chat:
    """A chat client on the standard input and output of `rulebound mcp`."""

    def __init__(self, home: Home, *worlds: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rulebound", "mcp", *worlds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=home.environment,
        )
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def send(self, method: str, **params: Any) -> int:
        self._count += 1
        self._say({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})
        return self._count

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer, past everything else that is said meanwhile."""
        id = self.send(method, **params)
        while (heard := self.hear()).get("id") != id:
            pass
        return heard

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        return json.loads(line)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", name=tool, arguments=arguments)["result"]["structuredContent"]

    def greet(self) -> Self:
        assert self.ask("initialize", **SPOKEN)["result"]["serverInfo"]["name"] == "rulebound"
        self._say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def leave(self, patience: float = PATIENCE) -> tuple[int, str]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None
        _, told = self.process.communicate(timeout=patience)
        return self.process.returncode, told.decode()

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


@contextmanager
def serving(home: Home, *options: str) -> Generator[str]:
    """`rulebound serve` in a process of its own; its address."""
    command = [sys.executable, "-m", "rulebound", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=home.environment) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline().decode()
            found = re.search(r"http://\S+(?=/mcp)", told)
            assert found, told + process.communicate()[0].decode()
            yield found[0]
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def daemon(home: Home) -> dict[str, Any]:
    about = home.place.serving()
    assert about is not None
    return about


@pytest.mark.requirement("0.30")
def test_the_first_client_starts_a_daemon_and_the_next_one_finds_it(home: Home) -> None:
    with Chat(home).greet() as ada, Chat(home).greet() as ben:
        tools = {each["name"] for each in ada.ask("tools/list")["result"]["tools"]}
        assert {"start", "act", "kb_search"} <= tools
        handle = ada.call("start", world="cloak", player="ada")["handle"]
        ada.call("act", handle=handle, text="go west")
        assert ben.call("observe", handle=handle)["turn"] == 1  # both are the owner of this machine
        pid = daemon(home)["pid"]
        with Chat(home).greet():
            assert daemon(home)["pid"] == pid


def test_clients_that_start_at_once_start_one_daemon(home: Home) -> None:
    chats = [Chat(home) for _ in range(6)]
    try:
        for chat in chats:
            chat.greet()
        assert len({daemon(home)["pid"]}) == 1
        log = home.place.log.read_text()
        assert "Traceback" not in log
    finally:
        for chat in chats:
            chat.__exit__()


def test_a_client_outlives_a_daemon_that_is_killed(home: Home) -> None:
    with Chat(home).greet() as chat:
        handle = chat.call("start", world="cloak")["handle"]
        chat.call("act", handle=handle, text="go west")
        os.kill(daemon(home)["pid"], signal.SIGKILL)
        act = {"name": "act", "arguments": {"handle": handle, "text": "hang cloak on hook", "idempotency_key": "hang"}}
        answer = chat.ask("tools/call", **act)
        if "error" in answer:  # it was sent before the end was seen
            answer = chat.ask("tools/call", **act)
        assert answer["result"]["structuredContent"]["turn"] == 2


def test_what_was_asked_of_a_daemon_that_died_is_answered_with_an_error(home: Home) -> None:
    with Chat(home).greet() as chat:
        chat.call("start", world="cloak")
        pid = daemon(home)["pid"]
        os.kill(pid, signal.SIGSTOP)
        id = chat.send("tools/list")
        os.kill(pid, signal.SIGKILL)
        heard = chat.hear()
        assert (heard["id"], heard["error"]["message"]) == (id, DIED)
        assert chat.ask("ping")["result"] == {}


def test_an_id_that_is_used_again_is_answered_again_also_where_the_daemon_dies_over_it(home: Home) -> None:
    with Chat(home).greet() as chat:
        for _ in range(20):
            chat._count = 100
            assert chat.ask("ping")["id"] == 101
        pid = daemon(home)["pid"]
        os.kill(pid, signal.SIGSTOP)
        chat._count = 100
        chat.send("tools/list")
        os.kill(pid, signal.SIGKILL)
        assert chat.hear()["error"]["message"] == DIED


def test_a_client_that_leaves_at_once_still_gets_its_answers(home: Home) -> None:
    with Chat(home) as chat:
        chat.send("initialize", **SPOKEN)
        chat.send("tools/call", name="start", arguments={"world": "cloak"})
        status, _ = chat.leave()
        assert status == 0


def test_a_client_that_leaves_while_it_listens_does_not_have_to_wait(home: Home) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    with Chat(home) as chat:
        chat.send("subscriptions/listen", _meta=meta, notifications={"toolsListChanged": True})
        assert chat.hear()["method"] == "notifications/subscriptions/acknowledged"
        chat.leave(LEAVE / 2)


def test_a_client_that_breaks_off_is_no_error_of_the_daemons(home: Home) -> None:
    with Chat(home).greet() as ada:
        hello = {"rulebound": "0", "worlds": []}
        asked = [{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": SPOKEN}]
        asked += [{"jsonrpc": "2.0", "id": id, "method": "ping"} for id in range(1, 200)]
        with socket.socket(socket.AF_UNIX) as ben:
            ben.connect(str(home.place.socket))
            ben.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in (hello, *asked)))
        for _ in range(20):
            ada.ask("tools/list")
        log = home.place.log.read_text()
    assert "rror" not in log, log


def test_a_world_that_cannot_be_served_is_told_on_standard_error(home: Home, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "twice").mkdir(parents=True)
    with Chat(home, str(tmp_path / "a" / "twice"), str(tmp_path / "b" / "twice")) as chat:
        chat.send("initialize", **SPOKEN)
        assert "Two worlds are called 'twice'" in chat.hear()["error"]["message"]
        status, told = chat.leave()
        assert status == 1
        assert told == "rulebound: Two worlds are called 'twice'. Rename one of the folders.\n"


def test_a_line_that_is_no_message_is_answered_and_the_client_stays(home: Home) -> None:
    with Chat(home).greet() as chat:
        assert chat.process.stdin is not None
        chat.process.stdin.write(b"\xff{ this is no message\n[]\n")
        chat.process.stdin.flush()
        assert chat.ask("ping")["result"] == {}


def test_the_socket_is_the_owners_alone_and_a_long_home_has_one_too(home: Home) -> None:
    deep = home.path.joinpath(*["a-folder-with-a-long-name"] * 6)
    with Chat(Home(deep, {**home.environment, "RULEBOUND_HOME": str(deep)})) as chat:
        try:
            chat.greet()
            folder = Place(deep).sockets()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert Place(deep).socket.is_socket()
        finally:
            Place(deep).stop()


def test_a_sockets_folder_that_others_can_open_is_refused(home: Home) -> None:
    home.place.sockets().chmod(0o755)
    with pytest.raises(DaemonError, match="open to others"):
        home.place.connect()
    (home.place.folder / "run").chmod(0o700)


def test_serve_takes_over_from_a_daemon_that_a_client_started(home: Home) -> None:
    with Chat(home).greet() as chat:
        handle = chat.call("start", world="cloak")["handle"]
        pid = daemon(home)["pid"]
        with serving(home) as url:
            assert daemon(home)["pid"] != pid
            assert chat.call("act", handle=handle, text="go west")["turn"] == 1
            assert daemon(home)["url"] == url


def test_a_home_has_one_daemon(home: Home) -> None:
    with serving(home) as url:
        command = [sys.executable, "-m", "rulebound", "serve", "--port", "0"]
        second = subprocess.run(command, env=home.environment, capture_output=True, timeout=PATIENCE, check=False)
        assert second.returncode == 2
        assert f"A daemon serves this home already, {url}" in second.stderr.decode()
        ended = [sys.executable, "-m", "rulebound", "serve", "--stop"]
        assert subprocess.run(ended, env=home.environment, timeout=PATIENCE, check=False).returncode == 0
        assert home.place.serving() is None
        assert subprocess.run(ended, env=home.environment, capture_output=True, check=False).returncode == 1


def test_a_port_that_is_taken_is_told(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "rulebound", "serve", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, env=home.environment, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert (
        "cannot be listened on: Address already in use. Choose another with --host and --port." in done.stderr.decode()
    )


def begun(url: str) -> str:
    """A session of the 2025 protocol, on a connection of its own."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": SPOKEN}
    answer = httpx2.post(f"{url}/mcp", json=message, headers=ACCEPT, timeout=PATIENCE)
    return answer.headers["mcp-session-id"]


def listed(url: str, session: str) -> httpx2.Response:
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    headers = {**ACCEPT, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    return httpx2.post(f"{url}/mcp", json=message, headers=headers, timeout=PATIENCE)


def test_any_worker_serves_a_session_and_a_worker_that_dies_is_started_again(home: Home) -> None:
    with serving(home, "--workers", "2", "--trust-loopback") as url:
        sessions = [begun(url) for _ in range(12)]
        assert {session[:2] for session in sessions} == {"0-", "1-"}
        for session in sessions:
            assert len(listed(url, session).json()["result"]["tools"]) >= 6
        assert listed(url, "7-0123").status_code == 404
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(daemon(home)["pid"])], capture_output=True, check=True
        )
        os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
        assert len(listed(url, begun(url)).json()["result"]["tools"]) >= 6
        gone = [session for session in sessions if listed(url, session).status_code == 404]
        assert {session[:2] for session in gone} <= {"0-"}
