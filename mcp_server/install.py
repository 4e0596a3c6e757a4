"""Owns where each chat client keeps its list of MCP servers, and puts ours there.

`install(client, machine, command)`, `uninstall(client, machine)` and `lines(client, command)`, for a name in `CLIENTS`. It
reads no environment: where things are is a parameter.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kb.suggest import suggest
from mcp_server.edits import EditError, Entry, Form, put, shown, take

NAME = "rulebound"
BACKUP = ".before-rulebound"


class InstallError(Exception):
    """A client's file cannot be changed; it is as it was. `hint` says what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Machine:
    """Whose files these are: the home folder, and `sys.platform`."""

    home: Path
    platform: str

    def applications(self) -> Path:
        """Where desktop applications keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return self.home / ("AppData/Roaming" if self.platform == "win32" else ".config")


def _standard(command: Sequence[str]) -> Entry:
    return {"command": command[0], "args": list(command[1:])}


def _typed(command: Sequence[str]) -> Entry:
    return {"type": "stdio", **_standard(command)}


def _local(command: Sequence[str]) -> Entry:
    return {"type": "local", "command": list(command), "enabled": True}


def _opencode(machine: Machine) -> Path:
    folder = machine.home / ".config" / "opencode"
    commented = folder / "opencode.jsonc"
    return commented if commented.exists() else folder / "opencode.json"


@dataclass(frozen=True, slots=True)
class Client:
    """One chat client: its title, its file, and how an entry looks there."""

    title: str
    file: Callable[[Machine], Path]
    section: str = "mcpServers"
    form: Form = "json"
    entry: Callable[[Sequence[str]], Entry] = _standard


CLIENTS: Mapping[str, Client] = MappingProxyType(
    {
        "claude-code": Client("Claude Code", lambda machine: machine.home / ".claude.json", entry=_typed),
        "claude-desktop": Client(
            "Claude Desktop", lambda machine: machine.applications() / "Claude" / "claude_desktop_config.json"
        ),
        "codex": Client("Codex", lambda machine: machine.home / ".codex" / "config.toml", "mcp_servers", "toml"),
        "opencode": Client("opencode", _opencode, "mcp", entry=_local),
        "gemini": Client("Gemini CLI", lambda machine: machine.home / ".gemini" / "settings.json"),
        "qwen": Client("Qwen Code", lambda machine: machine.home / ".qwen" / "settings.json"),
        "vscode": Client(
            "VS Code", lambda machine: machine.applications() / "Code" / "User" / "mcp.json", "servers", entry=_typed
        ),
        "cursor": Client("Cursor", lambda machine: machine.home / ".cursor" / "mcp.json", entry=_typed),
    }
)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: the file, whether it changed, and how it was before where it was there."""

    file: Path
    changed: bool
    backup: Path | None


def known(client: str) -> Client:
    """The client of a name. Raises `InstallError` with the names."""
    if client not in CLIENTS:
        hint = suggest(client, CLIENTS) or f"Known are {', '.join(CLIENTS)}."
        raise InstallError(f"No client is called {client!r}", hint)
    return CLIENTS[client]


def lines(client: str, command: Sequence[str]) -> str:
    """What to paste into the client's file, where it has no servers yet."""
    found = known(client)
    return shown(found.form, found.section, NAME, found.entry(command))


def install(client: str, machine: Machine, command: Sequence[str]) -> Done:
    """Makes the client start `command`, which speaks MCP on standard input and output. Raises `InstallError`."""
    found = known(client)
    entry = found.entry(command)
    return _edit(found, machine, lambda text: put(found.form, text, found.section, NAME, entry))


def uninstall(client: str, machine: Machine) -> Done:
    """Takes our entry out again. Raises `InstallError`."""
    found = known(client)
    return _edit(found, machine, lambda text: take(found.form, text, found.section, NAME))


def _edit(client: Client, machine: Machine, change: Callable[[str], str]) -> Done:
    # A file that is a link, as in a repository of dotfiles, stays a link.
    file = client.file(machine).resolve()
    try:
        before = file.read_bytes() if file.exists() else None
        after = change((before or b"").decode()).encode()
    except (EditError, UnicodeDecodeError) as error:
        hint = f"It is left alone. `rulebound mcp install --print` shows the lines to put under {client.section!r}."
        raise InstallError(f"{file} cannot be edited: {error}", hint) from None
    if after == (before or b""):
        return Done(file, False, None)
    backup = None
    if before is not None:
        backup = file.with_name(file.name + BACKUP)
        _write(backup, before, file)
    _write(file, after, file)
    return Done(file, True, backup)


def _write(file: Path, content: bytes, like: Path) -> None:
    """Writes all or nothing. Such files may hold keys, so nobody else may read one that is new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = like.stat().st_mode & 0o777 if like.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
