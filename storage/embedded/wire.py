"""Owns the few words that the supervisor speaks to a server: a startup and plain queries, a command in line.

`ask_postgres(socket, sql)`, `ask_valkey(socket, command)`. It must not import a driver (those cost 100 ms to load), and
it is no substitute for one: local sockets, trust, text results.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

STARTING = "57P03"
FULL = "53300"
PATIENCE = 5.0
"""Seconds that an answer may take."""


class Refused(Exception):
    """The server answered with an error; `code` is its SQLSTATE or first word."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def _connect(path: Path, timeout: float | None = None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout or PATIENCE)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def ask_postgres(
    path: Path, *statements: str, user: str = "postgres", database: str = "postgres", timeout: float | None = None
) -> list[list[str | None]]:
    """The rows of the last statement. Raises `Refused`, or OSError where nobody answers (`TimeoutError` included)."""
    rows: list[list[str | None]] = []
    with _connect(path, timeout) as connection, connection.makefile("rb") as stream:
        words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
        connection.sendall(struct.pack("!ii", 9 + len(words), 196608) + words + b"\0")
        waiting = list(statements)
        problem: Refused | None = None
        while head := stream.read(5):
            kind, size = struct.unpack("!ci", head)
            body = stream.read(size - 4)
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                problem = Refused(fields.get(b"C", ""), fields.get(b"M", ""))
            elif kind == b"R" and struct.unpack_from("!i", body)[0] not in (0, 12):
                raise Refused("28000", "the server asks for a password")
            elif kind == b"Z":
                if problem is not None or not waiting:
                    break
                text = waiting.pop(0).encode() + b"\0"
                rows.clear()
                connection.sendall(b"Q" + struct.pack("!i", 4 + len(text)) + text)
        else:
            raise problem or ConnectionResetError(f"{path}: the server closed the connection")
        connection.sendall(b"X\0\0\0\4")
    if problem is not None:
        raise problem
    return rows


def _row(body: bytes) -> list[str | None]:
    row: list[str | None] = []
    offset = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, offset)[0]
        offset += 4
        row.append(None if size < 0 else body[offset : offset + size].decode())
        offset += max(size, 0)
    return row


def ask_valkey(path: Path, command: str) -> str:
    """The answer to a command in line, a status or a bulk string. Raises `Refused` or OSError."""
    with _connect(path) as connection, connection.makefile("rb") as stream:
        connection.sendall(command.encode() + b"\r\n")
        line = stream.readline().decode().rstrip("\r\n")
        if not line:
            raise ConnectionResetError(f"{path}: the server closed the connection")
        kind, rest = line[0], line[1:]
        if kind == "-":
            raise Refused(rest.split()[0], rest)
        return stream.read(int(rest)).decode(errors="replace") if kind == "$" else rest
