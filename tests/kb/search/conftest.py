"""A knowledge base in Git that is large enough to have its index on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from git import Actor, Repo

from kb.search import SMALL

AUTHOR = Actor("A", "a@example.org")
PAGES = SMALL + 20


class Pages:
    """A repository of many small pages, `lore/1.md` and so on, each linking to the one before."""

    def __init__(self, folder: Path):
        self.repo = Repo.init(folder, initial_branch="main")
        self.folder = folder
        self.commit(
            {f"lore/{n}.md": f"---\nnote: n{n}\n---\n# Page {n}\n\nSome words.\n\n[[n{n - 1}]]\n" for n in range(PAGES)}
        )

    def commit(self, pages: dict[str, str | None]) -> str:
        """Writes pages (None: deletes one) and commits them."""
        for path, text in pages.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink() if text is None else file.write_text(text, encoding="utf-8")
        self.repo.git.add("-A")
        return self.repo.index.commit("x", author=AUTHOR, committer=AUTHOR).hexsha


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path / "pages")
