"""Owns docs/reference/commands.md: the help of every command, as the command line prints it.

`render()` gives the page; `reference.py` writes and checks it. It must not know what commands do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from rulebound.cli import app

HEAD = """# Commands

Made from `rulebound --help`. A world may be named by a folder, by a Git URL (`https://…`, `ssh://…`, `git@host:path`) or, if it
is bundled, by its name. A folder is read as it is on disk, and `--at` reads a commit instead. What is kept on disk lies
under [`RULEBOUND_HOME`](settings.md).

Exit statuses: 0 all is well; 1 problems, failing tests, or nothing found; 2 it cannot be done as asked (one line on standard
error says why and what to do); 130 interrupted.
"""


def render() -> str:
    """The page."""
    parts = [HEAD]
    for path, text in _helps(typer.main.get_command(app), "rulebound"):
        parts.append(f"## {path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """(command, its help) for a command and all below it, in the order in which they are declared."""
    context = command.make_context(path, [], resilient_parsing=True, terminal_width=100)
    yield path, command.get_help(context).strip()
    for name, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, f"{path} {name}")
