"""Owns `rulebound init` and `worlds`. It must not know how worlds are compiled."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from kb import library

_PAGES = {
    "README.md": """\
# {name}
A small world to begin with. Its rules are the markdown pages in this folder, and the `adventure` library.

- `rulebound play .` plays it. Change a page while you play: the next turn goes by the new page.
- `rulebound check` finds every mistake, with its line and what to do about it.
- `rulebound test` plays the scenarios in `scenarios/`.

Things to try: give the cottage another room, put something into the chest, add a line to `lantern.md`.
""",
    "world.md": """\
---
experience: {id}
uses: [adventure]
start: garden
score: 2
---
# {name}
Evening falls on a garden that nobody has tended for a long time.
""",
    "garden.md": """\
---
place: garden
exits: {{in: cottage}}
---
# Garden
Roses climb all over a cottage. Its door stands open.
""",
    "cottage.md": """\
---
place: cottage
exits: {{out: garden, down: cellar}}
---
# Cottage
One low room, with a window to the garden and steps that lead down.
""",
    "cellar.md": """\
---
place: cellar
exits: {{up: cottage}}
dark: yes
---
# Cellar
A vault of rough stone, dry and cool.
""",
    "lantern.md": """\
---
item: lantern
in: cottage
switchable: yes
aliases: [lamp]
---
# Old lantern
It still has oil in it.

## Rules
| On | When | Then |
|---|---|---|
| after switch on [[lantern]] | | award 1 for "bringing light" |
""",
    "silver-key.md": """\
---
item: silver-key
in: cellar
---
# Silver key
Small, and too bright to have lain here for long.

## Rules
| On | When | Then |
|---|---|---|
| after take [[silver-key]] | | award 1 for "finding the key"; end the game "The key is yours. Whatever it opens is for you to write." |
""",
    "scenarios/key.md": """\
---
scenario: key
---
# Finding the key
| Player says | Answer holds | Check |
|---|---|---|
| go in | Cottage | |
| down | dark | |
| take the key | not "Taken" | |
| up | | |
| take the lantern | Taken | |
| switch it on | | `lantern.on && player.score == 1` |
| down | key | |
| take the key | The key is yours | `player.score == 2` |
""",
}


def init(folder: Path, name: str | None) -> int:
    """Writes a starter world into a new or empty folder and makes it a Git repository, unless it lies in one."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"rulebound: {folder} is not an empty folder. Name a new one.", file=sys.stderr)
        return 2
    title = " ".join((name or folder.resolve().name.replace("-", " ").replace("_", " ").title()).split())
    id = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    id = id if re.match(r"[a-z]", id) else f"world-{id}".rstrip("-")
    for path, text in _PAGES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=title, id=id), encoding="utf-8")
    print(f"{folder} is a world. Play it:\n\n    rulebound play {folder}\n\n{_repository(folder)}")
    return 0


def _repository(folder: Path) -> str:
    """Commits the pages to a new repository; says what came of it."""
    if shutil.which("git") is None:
        return "git is not installed, so it is a plain folder; `rulebound doctor` says more."
    from git import Actor, InvalidGitRepositoryError, Repo

    try:
        outer = Repo(folder, search_parent_directories=True)
    except InvalidGitRepositoryError:
        repo = Repo.init(folder, initial_branch="main")
        repo.index.add(sorted(_PAGES))
        author = Actor("Rulebound", "rulebound@localhost")
        repo.index.commit("A world to begin with", author=author, committer=author)
        repo.close()
        return "It is a Git repository with one commit."
    root = outer.working_dir
    outer.close()
    return f"It lies in the Git repository {root}; commit it there."


def worlds() -> int:
    """Prints each bundled world's name and title."""
    for name, folder in library.worlds().items():
        readme = folder / "README.md"
        title = readme.read_text(encoding="utf-8").split("\n")[0].lstrip("# ") if readme.exists() else name
        print(f"{name:24}{title}")
    return 0
