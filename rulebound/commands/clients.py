"""Owns `rulebound mcp install` and `uninstall`. It must not know any client's file."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.worlds import Where, open_location
from mcp_server import install as clients
from rulebound.settings import Settings


def install(client: str, worlds: Sequence[str], *, show: bool) -> int:
    """Changes the client's file, or shows what belongs there."""
    command = [*_program(), "mcp", *_locations(worlds)]
    found = clients.known(client)
    if show:
        print(f"{found.title} reads {found.file(_machine())}, where this belongs:\n")
        print(clients.lines(client, command), end="")
        return 0
    done = clients.install(client, _machine(), command)
    if not done.changed:
        print(f"{found.title} has it already, in {done.file}.")
        return 0
    before = f" How it was before is in {done.backup}." if done.backup else ""
    print(f"{found.title} now starts `{' '.join(command)}`; {done.file} says so.{before}")
    print("Start it anew, and say: Play cloak with me.")
    return 0


def uninstall(client: str) -> int:
    """Takes the entry out of the client's file; 1 where there is none."""
    found, done = clients.known(client), clients.uninstall(client, _machine())
    if done.changed:
        print(f"{found.title} no longer starts rulebound; {done.file} was changed.")
        return 0
    print(f"{found.title} does not have it.")
    return 1


def _machine() -> clients.Machine:
    return clients.Machine(Path.home(), sys.platform)


def _program() -> list[str]:
    """This command, by a path that holds in any folder and whatever the shell's PATH is."""
    called = Path(sys.argv[0])
    found = (
        shutil.which(called)
        if called.stem == "rulebound"
        else shutil.which("rulebound", path=Path(sys.executable).parent)
    )
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "rulebound"]


def _locations(worlds: Sequence[str]) -> list[str]:
    """The worlds, by locations that hold in any folder. Raises `agents.worlds.WorldError` where one is none."""
    named = [Where.of(each) for each in worlds]
    for where in named:
        open_location(where, Settings.from_environment().cache)
    return [where.location for where in named]
