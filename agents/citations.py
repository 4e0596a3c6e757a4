"""Owns `Citation`: lines of a page at a commit, which an answer stands on. It must not know who cites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Citation:
    """A line of a page at a commit; `heading` is what it stands under."""

    path: str
    heading: str
    line: int
    commit: str

    def __str__(self) -> str:
        return f"{self.path}#{self.heading}:{self.line}@{self.commit}"
