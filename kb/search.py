"""Owns finding and reading pages: ranked sections, links and backlinks, bounded excerpts.

`SearchIndex(pages, commit)`. Results name `path#heading:line@commit`. It must not know who reads.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from kb.pages.page import Page

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_K1, _B = 1.2, 0.6
HEADING_WEIGHT = 4
MAX_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One section that was found."""

    path: str
    heading: str
    line: int
    snippet: str
    score: float
    commit: str

    @property
    def citation(self) -> str:
        return f"{self.path}#{self.heading}:{self.line}@{self.commit[:12]}"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a page: its text, first and last line, and the line to go on from (None at the end)."""

    path: str
    text: str
    first: int
    last: int
    next: int | None
    commit: str


@dataclass(frozen=True, slots=True)
class _Part:
    path: str
    kind: str
    heading: str
    line: int
    text: str


class SearchIndex:
    """An inverted index over the sections of pages; made once for each commit."""

    def __init__(self, pages: Mapping[str, Page], commit: str):
        self.commit = commit
        self._pages = pages
        self._parts = [part for page in pages.values() for part in _parts(page)]
        self._lengths: list[int] = []
        self._words: dict[str, list[tuple[int, int]]] = {}
        for number, part in enumerate(self._parts):
            counts = Counter(_stem(word) for word in _WORD.findall(part.text.casefold()))
            for word in _WORD.findall(f"{part.heading} {part.path}".casefold()):
                counts[_stem(word)] += HEADING_WEIGHT
            self._lengths.append(sum(counts.values()))
            for word, count in counts.items():
                self._words.setdefault(word, []).append((number, count))
        self._average = sum(self._lengths) / max(1, len(self._lengths))
        # A page's id is the value of its first key; `start: bar` names another page's.
        firsts = {path: next(iter(page.front.entries.values()), None) for path, page in pages.items()}
        self._by_id = {str(first.value): path for path, first in firsts.items() if first and first.value}

    def search(self, query: str, limit: int = 10, kind: str | None = None) -> list[Hit]:
        """The sections that fit the query best (BM25, headings weigh more). Unknown words are mended."""
        scores: dict[int, float] = {}
        words = [self._known(_stem(word)) for word in _WORD.findall(query.casefold())[:32]]
        for word in words:
            found = self._words.get(word, [])
            rarity = math.log(1 + (len(self._parts) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                weight = count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * self._lengths[number] / self._average))
                scores[number] = scores.get(number, 0.0) + rarity * weight
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        hits: list[Hit] = []
        for number, score in ranked:
            part = self._parts[number]
            if kind is None or part.kind == kind:
                snippet = _snippet(part.text, words)
                hits.append(Hit(part.path, part.heading, part.line, snippet, round(score, 3), self.commit))
        return hits[: max(1, min(limit, 50))]

    def _known(self, word: str) -> str:
        if word in self._words or len(word) < 4:
            return word
        best = process.extractOne(
            word,
            self._words.keys(),
            scorer=DamerauLevenshtein.distance,
            score_cutoff=1 if len(word) < 8 else 2,
        )
        return best[0] if best else word

    def resolve(self, name: str) -> str | None:
        """The path that a path, a page's id or a file's name means."""
        if name in self._pages:
            return name
        if name in self._by_id:
            return self._by_id[name]
        return next((path for path in self._pages if path.rsplit("/", 1)[-1].removesuffix(".md") == name), None)

    def read(self, name: str, *, section: str | None = None, first: int = 1, characters: int = 4_000) -> Excerpt | None:
        """A page, or one section of it, from a line on, up to so many characters."""
        path = self.resolve(name)
        if path is None:
            return None
        lines = self._pages[path].text.split("\n")
        end = len(lines)
        if section is not None:
            parts = [part for part in self._parts if part.path == path]
            at = next((n for n, part in enumerate(parts) if part.heading.casefold() == section.casefold()), None)
            if at is None:
                return None
            first = max(first, parts[at].line)
            end = parts[at + 1].line - 1 if at + 1 < len(parts) else end
        budget, taken = max(200, min(characters, MAX_CHARACTERS)), list[str]()
        for line in lines[first - 1 : end]:
            if taken and len(line) >= budget:
                break
            taken.append(line[:budget])
            budget -= len(taken[-1]) + 1
        last = first + len(taken) - 1
        return Excerpt(path, "\n".join(taken), first, last, last + 1 if last < end else None, self.commit)

    def links(self, name: str) -> tuple[list[str], list[str]] | None:
        """(pages that this one links to, pages that link to it), as paths."""
        path = self.resolve(name)
        if path is None:
            return None
        out = [target for link in self._pages[path].links if (target := self.resolve(link.target.split("#")[0]))]
        back = [
            other
            for other, page in self._pages.items()
            if other != path and any(self.resolve(link.target.split("#")[0]) == path for link in page.links)
        ]
        return sorted(set(out)), sorted(back)


def _parts(page: Page) -> list[_Part]:
    kind = next(iter(page.front.entries), "lore")
    lines = page.text.split("\n")
    starts = [(page.title or page.path, page.title_span.line)]
    starts += [(section.heading, section.span.line) for section in page.sections if section.heading]
    parts: list[_Part] = []
    for (heading, line), following in zip(starts, [*starts[1:], ("", len(lines) + 1)], strict=True):
        parts.append(_Part(page.path, kind, heading, line, "\n".join(lines[line - 1 : following[1] - 1])))
    return parts


def _stem(word: str) -> str:
    """A crude English stem: plurals and possessives."""
    word = word.removesuffix("'s").removesuffix("’s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _snippet(text: str, words: list[str]) -> str:
    for line in text.split("\n"):
        if any(_stem(word) in words for word in _WORD.findall(line.casefold())):
            return line.strip()[:200]
    return text.strip().split("\n")[0][:200]
