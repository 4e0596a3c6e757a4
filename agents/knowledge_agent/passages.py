"""Owns what an answer may stand on: the pages that fit a question, cut into numbered passages within a budget.

`choose(pages, question, limits)`; search chooses, then wiki links. Everything comes from one index at one commit, which whoever
asks was let into. It must not know models.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agents.citations import Citation
from agents.knowledge_agent.words import telling
from kb.search import Hit, SearchIndex

HIDDEN = frozenset({"scenario"})
"""Kinds of pages that are never read: tests of a world give its solution away."""
SEARCHED, LINKED_FROM, LONGEST = 30, 3, 600
_WEAK = 0.2
"""A hit with less than this share of the best one's score is read only if there is room."""
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|prompt|rule|guideline|above|previous|everything)"
    r"|\b(?:system|developer) (?:prompt|message)\b|\byou are now\b|\bas an? (?:ai|assistant|language model)\b"
    r"|<\|?\s*/?(?:im_start|im_end|system)\b|\bnew instructions?\b|\bIMPORTANT\b.{0,20}\b(?:assistant|model|ai)\b",
    re.IGNORECASE | re.DOTALL,
)
"""What speaks to a model, not to a reader."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read for one question."""

    files: int = 10
    characters: int = 2_000
    """Of each file."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, list or table. `lines` are as they stand on the page, the first being `line`."""

    number: int
    path: str
    title: str
    heading: str
    line: int
    lines: tuple[str, ...]
    commit: str

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def cite(self, line: int) -> Citation:
        return Citation(self.path, self.heading, line, self.commit)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is read for a question. `hits` are the sections that search found, best first."""

    passages: tuple[Passage, ...] = ()
    hits: tuple[Hit, ...] = ()
    left_out: int = 0
    """Passages that speak to a model and are not shown to it."""
    files: tuple[str, ...] = field(default=())


def choose(pages: SearchIndex, question: str, limits: Limits) -> Chosen:
    """The passages that a question is answered from."""
    hits = searched(pages, question)
    found: list[Passage] = []
    left_out, taken = 0, list[str]()
    for path in _paths(pages, hits, limits.files):
        if len(taken) == limits.files:
            break
        sections = pages.sections(path)
        if sections is None or sections.kind in HIDDEN:
            continue
        taken.append(path)
        # The sections that were found first, then the others, as far as the budget goes; shown in the page's order.
        wanted = [hit.line for hit in hits if hit.path == path]
        order = sorted(sections.parts, key=lambda part: (_rank(wanted, part.line), part.line))
        room, kept = limits.characters, list[tuple[str, int, list[str]]]()
        for part in order:
            lines, room = _within(part.text.split("\n"), room)
            kept.append((part.heading, part.line, lines))
        title = next((part.heading for part in sections.parts), path)
        for heading, first, lines in sorted(kept, key=lambda each: each[1]):
            for line, block in _blocks(lines, first):
                if _ORDERS.search(unicodedata.normalize("NFKC", plain("\n".join(block)))):
                    left_out += 1
                else:
                    found.append(Passage(len(found) + 1, path, title, heading, line, tuple(block), pages.commit))
    return Chosen(tuple(found), hits, left_out, tuple(taken))


def searched(pages: SearchIndex, question: str) -> tuple[Hit, ...]:
    """The sections that fit a question, best first."""
    words = telling(question)
    return tuple(hit for hit in pages.search(words, SEARCHED) if hit.kind not in HIDDEN) if words else ()


def plain(text: str) -> str:
    """Text without what nobody sees: control, format and private characters, by which orders are hidden from readers."""
    if text.isascii():
        return _CONTROL.sub("", text)
    return "".join(each for each in text if each in "\n\t" or not unicodedata.category(each).startswith("C"))


def _paths(pages: SearchIndex, hits: Sequence[Hit], files: int) -> list[str]:
    """Paths in the order in which they are read: strong hits, what the best of them are linked with, the other hits."""
    best = hits[0].score if hits else 0.0
    strong = list(dict.fromkeys(hit.path for hit in hits if hit.score >= best * _WEAK))
    first = strong[: max(1, files * 7 // 10)]
    linked: Counter[str] = Counter()
    for path in first[:LINKED_FROM]:
        out, back = pages.links(path, files) or ([], [])
        linked.update({*out, *back})
    around = [path for path, _ in linked.most_common(files)]
    return list(dict.fromkeys([*first, *around, *strong, *(hit.path for hit in hits)]))


def _rank(wanted: Sequence[int], line: int) -> int:
    return wanted.index(line) if line in wanted else len(wanted)


def _within(lines: list[str], room: int) -> tuple[list[str], int]:
    """The first lines that there is room for, the last one cut, and the room that is left."""
    for number, line in enumerate(lines):
        if len(line) >= room:
            return [*lines[:number], *([line[:room]] if room else [])], 0
        room -= len(line) + 1
    return lines, room


def _blocks(lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """What stands between empty lines and headings, with its first line's number; long ones in several."""
    block: list[str] = []
    size = 0
    for number, line in enumerate([*lines, ""], first):
        ends = not line.strip() or (number == first and line.startswith("#"))
        if block and (ends or size + len(line) > LONGEST):
            yield number - len(block), block
            block, size = [], 0
        if not ends:
            block.append(line)
            size += len(line)
