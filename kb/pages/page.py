"""Owns the structure of one markdown page: front matter, sections, bullets, tables, links, each with its exact place.

`parse_bytes(path, data)` gives a `Page` and never raises; what is wrong is in `page.problems`. Text is kept as `Fragment`s,
which know the source column of each of their characters. It must not know what sections or keys mean.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from kb.diagnostics import Diagnostic, Span, problem
from kb.pages.front import EMPTY, Entry, FrontMatter, Value, parse_front

__all__ = [
    "LINK", "MAX_BYTES", "MAX_LINE", "MAX_LINES", "Block", "Bullet", "Cell", "Code", "Entry", "FrontMatter", "Link", "Page", "Paragraph", "Quote", "Section",
    "Table", "TableRow", "Value", "find_code", "heading_of", "parse_bytes", "parse_page",
]  # fmt: skip

MAX_BYTES = 512 * 1024
MAX_LINES = 5_000
MAX_LINE = 20_000
MAX_COLUMNS = 64
LINK = re.compile(r"\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]*))?\]\]")


@dataclass(frozen=True, slots=True)
class Fragment:
    """Text of one source line. `shifts` are offsets before which the source has one character more (`\\|`)."""

    text: str
    span: Span
    shifts: tuple[int, ...] = ()

    def at(self, start: int, end: int) -> Span:
        """The place in the source of `text[start:end]`."""
        before = sum(1 for shift in self.shifts if shift <= start)
        inside = sum(1 for shift in self.shifts if shift < end)
        column = self.span.column
        return Span(
            self.span.path,
            self.span.line,
            column + start + before,
            max(column + end + inside, column + start + before + 1),
        )

    def part(self, start: int, end: int) -> Fragment:
        """`text[start:end]` as a fragment of its own."""
        return Fragment(
            self.text[start:end],
            self.at(start, end),
            tuple(shift - start for shift in self.shifts if start < shift < end),
        )

    @property
    def source(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Bullet(Fragment):
    """A list item; continuation lines are joined by a space (their columns count on from the first line)."""


@dataclass(frozen=True, slots=True)
class Cell(Fragment):
    """A table's cell, trimmed, with `\\|` as `|`."""


@dataclass(frozen=True, slots=True)
class TableRow:
    cells: tuple[Cell, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[Cell, ...]
    rows: tuple[TableRow, ...]
    span: Span

    @property
    def source(self) -> str:
        return "\n".join(" | ".join(cell.text for cell in row.cells) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive lines of one block."""

    lines: tuple[Fragment, ...]

    @property
    def span(self) -> Span:
        return self.lines[0].span

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def source(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Quote(Lines):
    """A block quote, without its `>`."""


@dataclass(frozen=True, slots=True)
class Paragraph(Lines):
    """Prose; also a heading below `##`."""


@dataclass(frozen=True, slots=True)
class Code(Lines):
    """A fenced or indented block; it has no meaning to the language."""


Block = Bullet | Table | Quote | Paragraph | Code


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a `##` heading; tables and the like before the first one have the heading ""."""

    heading: str
    level: int
    span: Span
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A wiki link `[[target]]` or `[[target|text]]`."""

    target: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Page:
    """One parsed page."""

    path: str
    front: FrontMatter
    title: str
    title_span: Span
    description: tuple[tuple[str, Span], ...]
    """The lines of prose before the first `##`; "" between paragraphs."""
    sections: tuple[Section, ...]
    links: tuple[Link, ...]
    problems: tuple[Diagnostic, ...] = ()
    text: str = field(default="", repr=False)


def find_code(text: str) -> list[tuple[int, int, str]]:
    """(start, end, inside) of each backtick span, offsets of the inside."""
    found: list[tuple[int, int, str]] = []
    position = 0
    while (opening := text.find("`", position)) >= 0:
        ticks = 1
        while text.startswith("`", opening + ticks):
            ticks += 1
        start = opening + ticks
        closing = text.find("`" * ticks, start)
        if closing < 0:
            break
        found.append((start, closing, text[start:closing]))
        position = closing + ticks
    return found


def heading_of(line: str) -> tuple[str, int]:
    """The words of a heading's line, and the offset at which they begin."""
    match = re.match(r"\s*#{1,6}\s+", line)
    start = match.end() if match else len(line) - len(line.lstrip())
    return re.sub(r"\s+#+\s*$", "", line[start:]).rstrip(), start


def parse_bytes(path: str, data: bytes) -> Page:
    """The page that a file holds. Problems with the bytes themselves are RB101 and RB102."""
    if len(data) > MAX_BYTES:
        why = f"The file has {len(data)} bytes, more than {MAX_BYTES}"
        return _unreadable(path, problem("RB102", Span(path, 1), why, "Split it into several pages."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        why = f"The byte 0x{data[error.start]:02x} is not UTF-8"
        return _unreadable(path, problem("RB101", Span(path, line, column, column + 1), why, "Save the file as UTF-8."))
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return _unreadable(path, problem("RB101", Span(path, line), "The file holds a NUL", "Save it as plain text."))
    return parse_page(path, text)


def _unreadable(path: str, what: Diagnostic) -> Page:
    return Page(path, EMPTY, "", Span(path, 1), (), (), (), (what,))


def parse_page(path: str, text: str) -> Page:
    """The page that markdown text writes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        why = f"The page has more than {MAX_LINES} lines, or a line of more than {MAX_LINE} characters"
        return _unreadable(path, problem("RB102", Span(path, 1), why, "Split it into several pages."))
    front, body_start, problems = parse_front(path, lines)
    parser = _Parser(path, lines, problems)
    try:
        parser.read(body_start)
    except RecursionError:
        problems.append(problem("RB102", Span(path, 1), "The page is nested too deep", "Make its lists flatter."))
    return Page(
        path=path,
        front=front,
        title=parser.title,
        title_span=parser.title_span,
        description=tuple(parser.description),
        sections=tuple(parser.sections),
        links=tuple(parser.links),
        problems=tuple(problems),
        text=text,
    )


@cache
def _markdown() -> MarkdownIt:
    """Block structure only: what is inside a line is read from the source, whose columns are exact."""
    return MarkdownIt("commonmark", {"maxNesting": 12}).enable("table").disable(["inline", "text_join"], True)


class _Parser:
    """One pass over markdown-it's block tokens."""

    def __init__(self, path: str, lines: list[str], problems: list[Diagnostic]):
        self.path, self.lines, self.problems = path, lines, problems
        self.title = ""
        self.title_span = Span(path, 1)
        self.description: list[tuple[str, Span]] = []
        self.sections: list[Section] = []
        self.links: list[Link] = []
        self._blocks: list[Block] = []
        self._heading, self._heading_span, self._level = "", Span(path, 1), 1

    def read(self, start: int) -> None:
        body = "\n".join([""] * start + self.lines[start:])
        tokens = _markdown().parse(body)
        index = 0
        while index < len(tokens):
            index = self._block(tokens, index)
        self._close()

    def _block(self, tokens: list[Token], index: int) -> int:
        """Reads the block at `index`; gives the index after it."""
        token = tokens[index]
        end = index + 1
        if token.nesting == 1:
            end = _closing(tokens, index) + 1
        if token.map is None:
            return end
        first, last = token.map
        if token.type == "heading_open":
            self._read_heading(token, first)
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            self._list(tokens, index, end)
        elif token.type == "table_open":
            self._table(first, last)
        elif token.type == "blockquote_open":
            self._add(Quote(tuple(self._quoted(number) for number in range(first, last))))
        elif token.type in {"fence", "code_block"}:
            self._add(Code(tuple(self._line(number) for number in range(first, last))), links=False)
        elif token.type in {"paragraph_open", "html_block"}:
            self._paragraph(first, last)
        return end

    def _span(self, number: int, start: int, end: int) -> Span:
        return Span(self.path, number + 1, start + 1, max(end, start + 1) + 1 if end <= start else end + 1)

    def _line(self, number: int) -> Fragment:
        text = self.lines[number]
        start = len(text) - len(text.lstrip())
        return Fragment(text.strip(), self._span(number, start, len(text.rstrip())))

    def _quoted(self, number: int) -> Fragment:
        match = re.match(r"\s*>?\s?", self.lines[number])
        start = match.end() if match else 0
        text = self.lines[number][start:].rstrip()
        return Fragment(text, self._span(number, start, start + len(text)))

    def _add(self, block: Block, *, links: bool = True) -> None:
        self._blocks.append(block)
        if links and not isinstance(block, Table):
            for fragment in (block,) if isinstance(block, Bullet) else block.lines:
                self._find_links(fragment)

    def _find_links(self, fragment: Fragment) -> None:
        if "[[" not in fragment.text:
            return
        code = find_code(fragment.text)
        for match in LINK.finditer(fragment.text):
            if not any(start <= match.start() < end for start, end, _ in code):
                place = fragment.at(match.start(), match.end())
                self.links.append(Link(match[1].strip(), (match[2] or match[1]).strip(), place))

    def _read_heading(self, token: Token, number: int) -> None:
        words, start = heading_of(self.lines[number])
        span = self._span(number, start, start + len(words))
        level = int(token.tag[1])
        if level == 1 and not self.title:
            self.title, self.title_span = words, span
        elif level == 2:
            self._close()
            self._heading, self._heading_span, self._level = words, span, 2
        else:
            self._add(Paragraph((Fragment(words, span),)))

    def _close(self) -> None:
        if self._heading or self._blocks:
            self.sections.append(Section(self._heading, self._level, self._heading_span, tuple(self._blocks)))
        self._blocks = []

    def _paragraph(self, first: int, last: int) -> None:
        fragments = tuple(self._line(number) for number in range(first, last) if self.lines[number].strip())
        if not fragments:
            return
        if self._level == 1:
            if self.description:
                self.description.append(("", fragments[0].span))
            self.description += [(each.text, each.span) for each in fragments]
            for each in fragments:
                self._find_links(each)
        else:
            self._add(Paragraph(fragments))

    def _list(self, tokens: list[Token], index: int, end: int) -> None:
        """Each item as a bullet; items of inner lists follow their outer one."""
        for position in range(index, end):
            token = tokens[position]
            if token.type != "list_item_open" or token.map is None:
                continue
            first, last = token.map
            inner = [
                each.map[0]
                for each in tokens[position + 1 : _closing(tokens, position)]
                if each.type in {"bullet_list_open", "ordered_list_open"} and each.map
            ]
            last = min([last, *inner])
            match = re.match(r"[\s>]*(?:[-*+]|\d{1,9}[.)])(?:\s+|$)", self.lines[first])
            start = match.end() if match else 0
            text = self.lines[first][start:].rstrip()
            more = [self.lines[number].strip() for number in range(first + 1, last)]
            whole = " ".join([text, *(each for each in more if each)])
            self._add(Bullet(whole, self._span(first, start, start + len(text))))

    def _table(self, first: int, last: int) -> None:
        header = self._cells(first)
        if len(header) > MAX_COLUMNS:
            why = f"The table has more than {MAX_COLUMNS} columns"
            self.problems.append(problem("RB102", self._line(first).span, why, "Split it."))
            return
        rows: list[TableRow] = []
        for number in range(first + 2, last):
            cells = self._cells(number)
            span = self._line(number).span
            if len(cells) != len(header):
                self._misfit(number, cells, len(header))
                continue
            rows.append(TableRow(cells, span))
        for cell in (*header, *(cell for row in rows for cell in row.cells)):
            self._find_links(cell)
        self._add(Table(header, tuple(rows), self._line(first).span))

    def _misfit(self, number: int, cells: tuple[Cell, ...], columns: int) -> None:
        text = self.lines[number]
        for match in re.finditer(r"\|\|", text):
            if text.count("`", 0, match.start()) % 2 and text.find("`", match.end()) >= 0:
                span = self._span(number, match.start(), match.end())
                hint = "Write `\\|\\|`, or two rows that say the same."
                self.problems.append(problem("RB108", span, "`||` inside a table cell splits the cell", hint))
                return
        extra = cells[columns].span if len(cells) > columns else self._line(number).span
        why = f"The row has {len(cells)} cells where the header has {columns}"
        hint = "Give it one cell for each column; write `\\|` for a bar inside a cell."
        self.problems.append(problem("RB107", extra, why, hint))

    def _cells(self, number: int) -> tuple[Cell, ...]:
        """The cells of a table's line as GitHub splits it: at each bar that no backslash stands before."""
        line = self.lines[number]
        start, stop = len(line) - len(line.lstrip()), len(line.rstrip())
        bars = [i for i in range(start, stop) if line[i] == "|" and (i == 0 or line[i - 1] != "\\")]
        if not bars or bars[0] != start:
            bars.insert(0, start - 1)
        if bars[-1] != stop - 1 or len(bars) == 1:
            bars.append(stop)
        return tuple(self._cell(number, left + 1, right) for left, right in itertools.pairwise(bars))

    def _cell(self, number: int, start: int, end: int) -> Cell:
        raw = self.lines[number][start:end]
        start += len(raw) - len(raw.lstrip())
        raw = raw.strip()
        text, shifts = "", list[int]()
        position = 0
        while position < len(raw):
            if raw.startswith("\\|", position):
                shifts.append(len(text))
                position += 1
            text += raw[position]
            position += 1
        return Cell(text, self._span(number, start, start + len(raw)), tuple(shifts))


def _closing(tokens: list[Token], index: int) -> int:
    """The index of the token that closes the one at `index`."""
    depth = 0
    for position in range(index, len(tokens)):
        depth += tokens[position].nesting
        if depth == 0:
            return position
    return len(tokens) - 1
