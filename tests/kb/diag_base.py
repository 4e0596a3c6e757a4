"""The small world against which the examples of docs/diagnostics run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

BASE = {
    "world.md": "---\nexperience: test\nstart: hall\n---\n# Test\n",
    "hall.md": "---\nplace: hall\nexits: {down: cellar}\n---\n# Hall\n",
    "cellar.md": "---\nplace: cellar\nexits: {up: hall}\n---\n# Cellar\n",
    "item.md": (
        "---\nkind: item\n---\n# Item\n## State\n| Field | Type | Start |\n|---|---|---|\n"
        "| fixed | yes/no | no |\n| size | int 0..9 | 1 |\n"
    ),
    "lamp.md": "---\nitem: lamp\nin: hall\n---\n# Lamp\n",
    "take.md": '---\nrule: take\non: take <item>\n---\n# Taking\n## Then\n- move `item` to `player`\n- say "Taken."\n',
}
File = tuple[str, str, str]
"""(kind of fence, path, content)"""
_FILE = re.compile(r"^`([^`\n]+)`\n\n(`{3,})([a-z]+)\n(.*?)^\2$", re.MULTILINE | re.DOTALL)


def files_of(section: str) -> list[File]:
    """The files that a section of a diagnostic page shows."""
    return [(match[3], match[1], match[4]) for match in _FILE.finditer(section)]


def lay_out(folder: Path, files: Iterable[File]) -> Path:
    """Writes the base world and the example's files over it."""
    for path, text in BASE.items():
        _write(folder / path, text.encode())
    for kind, path, text in files:
        target = folder / path
        if kind == "link":
            os.symlink(folder / text.strip(), target)
        elif kind == "escaped":
            _write(target, text.strip().encode().decode("unicode_escape").encode("latin-1"))
        elif kind == "repeat":
            count, _, unit = text.strip().partition(" ")
            _write(target, unit.encode() * int(count))
        else:
            _write(target, text.encode())
    return folder


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
