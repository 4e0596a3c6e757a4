"""Owns where citations lead: whether they exist, into which section they point, and the lines that they stand for.

`Pages(index)`; a citation is written `path#heading:line`, perhaps `@commit`. It must not know answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kb.search import SearchIndex
from kb.search.documents import Part

_CITED = re.compile(r"(?P<path>[^#\n]+)#(?P<heading>.*):(?P<line>\d{1,9})(?:@(?P<commit>[\w-]+))?")
_RULE = re.compile(r"[\s|:-]*")
"""What parts a table's head from its rows."""
END = re.compile(r"(?<=[.!?])[\"”’)*_]*\s+")
"""Where a sentence ends and another begins."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation as it is written: `path#heading:line`, perhaps `@commit`."""

    path: str
    heading: str
    line: int
    commit: str = ""

    @staticmethod
    def of(text: str) -> Cited | None:
        """None: it is no citation."""
        found = _CITED.fullmatch(text.strip())
        return Cited(found["path"], found["heading"], int(found["line"]), found["commit"] or "") if found else None


class Pages:
    """What is looked up in a knowledge base at one commit."""

    def __init__(self, index: SearchIndex):
        self._index = index

    @property
    def terms(self) -> Callable[[str], list[str]]:
        return self._index.terms

    def wrong(self, text: str) -> str:
        """Why a citation leads nowhere; "": it exists."""
        cited = Cited.of(text)
        if cited is None:
            return f"{text!r} is no `path#heading:line`"
        sections = self._index.sections(cited.path)
        if sections is None or sections.path != cited.path:
            return f"there is no page {cited.path!r}"
        heading = sections.heading(cited.line)
        if heading is None:
            return f"{cited.path} has no line {cited.line}"
        if heading != cited.heading:
            return f"{cited.path}:{cited.line} stands under {heading!r}, not {cited.heading!r}"
        if cited.commit and not self._index.commit.startswith(cited.commit):
            return f"{cited.commit} is not the commit that is played, {self._index.commit}"
        return ""

    def meets(self, text: str, wanted: str) -> bool:
        """Whether a citation points into `page` or `page#heading`; what stands under a heading's own headings is part of it."""
        cited = Cited.of(text)
        page, _, heading = wanted.partition("#")
        if cited is None or not (cited.path == page or cited.path.endswith(f"/{page}")) or self.wrong(text):
            return False
        return not heading or any(cited.line in lines for lines, _ in self._named(cited.path, heading))

    def section(self, page: str, heading: str = "") -> str:
        """The text of a page, or of all its sections of this name; "" where there is none."""
        parts = self._parts(page)
        return "\n".join(text for _, text in self._named(page, heading)) if heading else _text(parts)

    def evidence(self, text: str) -> list[str]:
        """The lines that a citation points to, each with what it stands under before it: of a heading's line its whole section, of any
        other its paragraph, list or table."""
        cited = Cited.of(text)
        if cited is None or self.wrong(text):
            return []
        parts = self._parts(cited.path)
        at = max(number for number, part in enumerate(parts) if part.line <= cited.line)
        lines = parts[at].text.split("\n")
        here = cited.line - parts[at].line
        if here < len(lines) and lines[here].startswith("#"):
            span = parts[at : _end(parts, at)]
        else:
            span = [Part(parts[at].heading, cited.line, "\n".join(_block(lines, here)))]
        title = parts[0].heading
        return [unit for part in span for unit in _units(part, title)]

    def cited(self, citations: Iterable[str]) -> list[str]:
        """The evidence of several, each once."""
        return [unit for each in dict.fromkeys(citations) for unit in self.evidence(each)]

    def _parts(self, page: str) -> Sequence[Part]:
        sections = self._index.sections(page)
        return sections.parts if sections is not None and sections.path == page else ()

    def _named(self, page: str, heading: str) -> Iterator[tuple[range, str]]:
        parts = self._parts(page)
        for at, part in enumerate(parts):
            if part.heading.casefold() == heading.casefold():
                within = parts[at : _end(parts, at)]
                last = within[-1].line + within[-1].text.count("\n")
                yield range(part.line, last + 1), _text(within)


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(part.text for part in parts)


def _level(part: Part) -> int:
    """Of a heading; front matter stands under the title."""
    return len(part.text) - len(part.text.lstrip("#")) or 1


def _end(parts: Sequence[Part], at: int) -> int:
    """The first part that is not under this one's heading; a page's front matter goes with its first section."""
    mine = _level(parts[at])
    begin = at + 2 if at == 0 and not parts[0].text.startswith("#") else at + 1
    return next((number for number, part in enumerate(parts) if number >= begin and _level(part) <= mine), len(parts))


def _block(lines: Sequence[str], here: int) -> list[str]:
    """The lines around one, up to empty ones and headings."""
    if here >= len(lines) or not lines[here].strip():
        return []
    first = last = here
    while first > 0 and lines[first - 1].strip() and not lines[first - 1].startswith("#"):
        first -= 1
    while last + 1 < len(lines) and lines[last + 1].strip():
        last += 1
    return list(lines[first : last + 1])


def _units(part: Part, title: str) -> Iterator[str]:
    """Sentences, items and rows. A row has its table's head before it, everything its page's title and its heading."""
    head = ""
    for group in groups(part.text.split("\n")):
        row = group.lstrip().startswith("|")
        if row and _RULE.fullmatch(group):
            continue
        for sentence in [group] if row else END.split(group):
            under = "" if part.heading == title else f"{part.heading} "
            yield f"{title} {under}{head if row else ''}\0{sentence.strip()}"
        head = (head or f"{group} ") if row else ""


def groups(lines: Iterable[str]) -> Iterator[str]:
    """Lines that belong together: a sentence may go on in the next line, an item, a row and a heading stand alone."""
    kept: list[str] = []
    for line in lines:
        alone = re.match(r"\s*(?:[-*+>#]|\d{1,3}[.)]\s|\||---)", line) is not None
        if kept and (alone or not line.strip()):
            yield " ".join(kept)
            kept = []
        if line.strip():
            kept.append(line.strip())
        if kept and line.lstrip().startswith(("|", "#", "---")):
            yield kept.pop()
    if kept:
        yield " ".join(kept)
