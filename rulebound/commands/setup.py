"""Owns `rulebound init`, `worlds` and `doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path

from agents.worlds import located
from kb import library
from rulebound.errors import clash
from rulebound.settings import Settings

_PAGES = {
    "README.md": "# {name}\nA world for Rulebound. `rulebound play .` plays it, `rulebound check` and `rulebound test` try it.\n",
    "world.md": "---\nexperience: {id}\nuses: [adventure]\nstart: garden\nscore: 1\n---\n# {name}\nA small world to begin with.\n",
    "garden.md": "---\nplace: garden\nexits: {{in: cottage}}\n---\n# Garden\nRoses climb a cottage. Its door is open.\n",
    "cottage.md": "---\nplace: cottage\nexits: {{out: garden}}\n---\n# Cottage\nOne low room with a window to the garden.\n",
    "lantern.md": (
        "---\nitem: lantern\nin: cottage\nswitchable: yes\naliases: [lamp]\n---\n# Old lantern\nIt still has oil in it.\n\n"
        '## Rules\n| On | When | Then |\n|---|---|---|\n| after switch on [[lantern]] | | award 1 for "light" |\n'
    ),
    "scenarios/light.md": (
        "---\nscenario: light\n---\n# Lighting the lantern\n| Player says | Answer holds | Check |\n|---|---|---|\n"
        "| go in | Cottage | |\n| take the lantern | Taken | |\n| switch it on | | `lantern.on && player.score == 1` |\n"
    ),
}


def init(folder: Path, name: str | None) -> int:
    """Writes a starter world into a new or empty folder and makes it a Git repository."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"rulebound: {folder} is not empty. Name a new folder.", file=sys.stderr)
        return 2
    title = name or folder.resolve().name.replace("-", " ").title()
    id = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "world"
    id = id if id[0].isalpha() else f"world-{id}"
    for path, text in _PAGES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=title, id=id), encoding="utf-8")
    if shutil.which("git"):
        from git import Actor, Repo

        repo = Repo.init(folder, initial_branch="main")
        repo.index.add(sorted(_PAGES))
        author = Actor("Rulebound", "rulebound@localhost")
        repo.index.commit("A world to begin with", author=author, committer=author)
    print(f"{folder} is a world. Play it: rulebound play {folder}")
    return 0


def worlds() -> int:
    """Lists the bundled worlds with the first line of their pages."""
    for name, folder in library.worlds().items():
        readme = folder / "README.md"
        title = readme.read_text(encoding="utf-8").split("\n")[0].lstrip("# ") if readme.exists() else name
        print(f"{name:24}{title}")
    return 0


def doctor() -> int:
    """Prints each thing that is needed and whether it is there; 0 when nothing is missing."""
    missing = 0

    def tell(good: bool, what: str, hint: str = "") -> None:
        nonlocal missing
        missing += not good
        print(f"{'ok     ' if good else 'MISSING'} {what}" + ("" if good or not hint else f" — {hint}"))

    version = ".".join(map(str, sys.version_info[:3]))
    tell(sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer")
    git = shutil.which("git")
    tell(git is not None, f"git ({git or 'not found'})", "install git; without it only plain folders work")
    home = Settings.from_environment().home
    try:
        home.mkdir(parents=True, exist_ok=True)
        writable = os.access(home, os.W_OK)
        free = shutil.disk_usage(home).free
    except OSError:
        writable, free = False, 0
    tell(writable, f"home {home}", "set RULEBOUND_HOME to a folder that can be written")
    tell(free > 50 * 2**20, f"{free // 2**20} MiB free there", "make room")
    tell(clash() is None, "no other package owns our module names", clash() or "")
    for name in ("mcp", "markdown-it-py", "gitpython", "prompt-toolkit"):
        tell(True, f"{name} {importlib.metadata.version(name)}")
    tell(
        bool(library.worlds()) and Path(located("cloak")).is_dir(),
        f"bundled worlds: {', '.join(library.worlds())}",
        "reinstall",
    )
    print("store  in memory, with a journal in home; servers come with a later version")
    return 1 if missing else 0
