"""Owns `rulebound mcp`: standard input and output of a chat client, joined to the daemon's socket.

`Bridge(place, hello, start).run(stdin, stdout)`. A daemon that dies is started again, and the client keeps its session: what
was asked and not answered is answered with an error. Chat clients give up on a server that is slow to start, so this needs
the standard library alone. It must not know what messages mean beyond their ids.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mcp_server.daemon.place import LINE_LIMIT, DaemonError, Place

LEAVE = 30.0
"""Seconds after the client's last word in which its questions are still answered."""
INTERNAL_ERROR = -32603
DIED = (
    "The server stopped while it worked on this; it may or may not be done. "
    "Look before you try again, or repeat it with the same idempotency_key."
)


class Bridge:
    """One client. `start` is the command that starts a daemon, `hello` is told to each daemon first."""

    def __init__(self, place: Place, hello: Mapping[str, Any], start: Sequence[str]):
        self._place, self._hello, self._start = place, hello, start
        self._asked: dict[str, Any] = {}
        """The ids of what was asked and not answered, by their JSON."""
        self._listening: set[str] = set()
        """Those that are answered only when nobody listens any more."""
        self._opening: list[bytes] = []
        """The handshake and the subscriptions, for the next daemon."""
        self._connection: socket.socket | None = None
        self._changed = threading.Condition()
        self._left = False
        self._telling = False
        """Whether an answer is on its way to the client, and forgotten already."""
        self._writing = threading.Lock()
        self.error: DaemonError | None = None

    def run(self, stdin: BinaryIO, stdout: BinaryIO) -> int:
        """Serves until the client leaves; 1 where there is no daemon to be had."""
        self._stdout = stdout
        answers = threading.Thread(target=self._answers, daemon=True)
        answers.start()
        for line in iter(lambda: stdin.readline(LINE_LIMIT), b""):
            if line.strip():
                self._ask(line if line.endswith(b"\n") else line + b"\n")
            if self.error:
                break
        with self._changed:
            self._changed.wait_for(self._answered, LEAVE)
            self._left = True
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
        return 1 if self.error else 0

    def _answered(self) -> bool:
        """Whether nothing more is to come: streams that the client listens to end with it."""
        return (self._asked.keys() <= self._listening and not self._telling) or self.error is not None

    def _ask(self, line: bytes) -> None:
        message = _parsed(line)
        method, id = message.get("method"), message.get("id")
        with self._changed:
            self._changed.wait_for(lambda: self._connection is not None or self.error is not None)
            if method in ("initialize", "notifications/initialized", "resources/subscribe"):
                self._opening.append(line)
            if method is not None and id is not None:
                self._asked[json.dumps(id)] = id
                if method == "subscriptions/listen":
                    self._listening.add(json.dumps(id))
            connection = self._connection
        if connection is None:
            self._lost()
            return
        with suppress(OSError):  # `_answers` sees the same end, and answers for it
            connection.sendall(line)

    def _answers(self) -> None:
        """Passes on what daemons say, one after the other."""
        while not self._left:
            try:
                connection = self._reached()
            except (DaemonError, OSError) as error:
                self.error = error if isinstance(error, DaemonError) else DaemonError(str(error), "Try again.")
                sys.stderr.write(f"rulebound: {self.error}. {self.error.hint}\n")
                self._lost()
                with self._changed:
                    self._changed.notify_all()
                return
            with connection, connection.makefile("rb") as lines:
                try:
                    self._greet(connection, lines)
                    with self._changed:
                        self._connection = connection
                        self._changed.notify_all()
                    for line in lines:
                        self._answer(line)
                except DaemonError as error:
                    self.error = error
                    sys.stderr.write(f"rulebound: {error}. {error.hint}\n")
                except OSError:
                    pass
                with self._changed:
                    self._connection = None
            self._lost()
            if self.error:
                with self._changed:
                    self._changed.notify_all()
                return

    def _reached(self) -> socket.socket:
        return self._place.reach(self._start)

    def _greet(self, connection: socket.socket, lines: BinaryIO) -> None:
        """Says who we are, and to a second daemon what was said to the first. Raises `DaemonError`, OSError."""
        connection.sendall(json.dumps(self._hello).encode() + b"\n")
        answer = _parsed(lines.readline())
        if "error" in answer:
            raise DaemonError(str(answer["error"]), str(answer.get("hint", "")))
        for line in self._opening:
            connection.sendall(line)
            id = _parsed(line).get("id")
            while id is not None:
                line = lines.readline()
                if not line or _parsed(line).get("id") == id:
                    break
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        message = _parsed(line)
        if "method" not in message and "id" in message:
            # Before the client hears it: it may use the id again at once.
            with self._changed:
                self._asked.pop(json.dumps(message["id"]), None)
                self._telling = True
        self._write(line)
        with self._changed:
            self._telling = False
            self._changed.notify_all()

    def _lost(self) -> None:
        """Answers for a daemon that cannot."""
        with self._changed:
            lost, self._asked = list(self._asked.values()), {}
            self._changed.notify_all()
        why = f"{self.error}. {self.error.hint}" if self.error else DIED
        for id in lost:
            error = {"code": INTERNAL_ERROR, "message": why}
            self._write(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            with self._writing:
                self._stdout.write(line)
                self._stdout.flush()
        except (OSError, ValueError):
            os._exit(0)  # the client is gone, and its other end may never close


def _parsed(line: bytes) -> dict[str, Any]:
    """A message, or nothing where it is none: the daemon answers to that."""
    with suppress(ValueError, RecursionError):
        message = json.loads(line)
        if isinstance(message, dict):
            return message  # pyright: ignore[reportUnknownVariableType]
    return {}


def main(home: Path, version: str, worlds: Sequence[str]) -> int:
    """Serves standard input and output from the daemon of a home, with the worlds that the client's user named."""
    named = [os.path.abspath(each) if os.path.isdir(each) else each for each in worlds]
    start = [sys.executable, "-m", "mcp_server.daemon"]
    bridge = Bridge(Place(home), {"rulebound": version, "worlds": named}, start)
    return bridge.run(sys.stdin.buffer, sys.stdout.buffer)
