"""Owns finding a folder's former content in its Git history.

`commit_of(source, "folder-…")`; a folder's commit is a hash of its content, and Git may hold the same content at a commit.
It must not know what files mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from kb.pages.git_source import GitSource
from kb.pages.source import content_id

MAX_COMMITS = 2_000


@dataclass
class History:
    """A repository's commits by the content of one folder, read once, newest first, only as far as is asked."""

    source: GitSource
    _found: dict[str, str] = field(default_factory=dict[str, str])
    _contents: dict[str, str] = field(default_factory=dict[str, str])
    """Git's id of a file's content → the folder's id of it"""

    def __post_init__(self) -> None:
        self._left = self._commits()

    def commit_of(self, content: str) -> str | None:
        """The newest commit, of any branch, at which the folder has this content; None where there is none."""
        while content not in self._found and (commit := next(self._left, None)) is not None:
            source = GitSource(self.source.repo, commit, self.source.inner)
            ids = {blob.path: self._content(source, blob.id, blob.path) for blob in source.files().values()}
            self._found.setdefault(content_id(ids), commit)
        return self._found.get(content)

    def _commits(self) -> Iterator[str]:
        where = self.source.inner or "."
        listed: str = self.source.repo.git.rev_list("--all", "HEAD", f"--max-count={MAX_COMMITS}", "--", where)
        yield from listed.split()

    def _content(self, source: GitSource, id: str, path: str) -> str:
        if id not in self._contents:
            data = source.read(source.files()[path])
            self._contents[id] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        return self._contents[id]
