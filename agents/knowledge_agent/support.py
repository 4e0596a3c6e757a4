"""Owns whether passages say what a sentence says: words, numbers, names and negation compared, line by line.

`Support(terms, passages).of(sentence, cited)` gives the citing lines, or None. It compares words and knows no meaning: what it
lets through stands, nearly word for word, on the lines that it names. It must not know models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from agents.citations import Citation
from agents.knowledge_agent.passages import Passage, plain
from agents.knowledge_agent.words import content, names, negated, numbers

THRESHOLD = 0.7
"""The share of a sentence's content words that its citing lines must have."""
ANCHORS = 2
"""Content words that each line must share, where a sentence needs several lines."""
MAX_CITED = 5
_END = re.compile(r"(?<=[.!?])[\"'”’)*_]*\s+")
_OWN = re.compile(r"\s*(?:[-*+>]\s|\d{1,3}[.)]\s|\|)")
"""A line that is a unit of its own: an item of a list, a row of a table, a quoted line."""
_MARK = re.compile(r"\s*(?:[-*+>]|\d{1,3}[.)])\s+")
"""What begins an item; its number counts nothing."""
_UNCHECKED = re.compile(r"\.md\b|://|\bwww\.|:\d+@|@[0-9a-f]{7,}|</?\w+>", re.IGNORECASE)
"""A citation, an address or a mark in the model's own text: citations are ours alone."""


@dataclass(frozen=True)
class Unit:
    """A sentence of a page, an item or a row, with what it stands under."""

    passage: Passage
    line: int
    text: str
    context: str
    terms: frozenset[str]
    """Of the text."""
    around: frozenset[str]
    """Of the text and its context."""

    @cached_property
    def negated(self) -> bool:
        return negated(self.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return numbers(f"{self.text} {self.context}")


class Support:
    """The passages that a model was shown, ready to be compared with what it says."""

    def __init__(self, terms: Callable[[str], list[str]], passages: Sequence[Passage], seen: str = ""):
        self._terms = terms
        self._passages = {each.number: each for each in passages}
        self._split_up: dict[int, tuple[Unit, ...]] = {}
        self._seen = seen
        """What the player perceives, which is cited as passage 0."""

    def of(self, sentence: str, cited: Iterable[int]) -> tuple[Citation, ...] | None:
        """The lines that say a sentence, fewest first; () where it is what the player perceives; None: unsupported."""
        wanted, numbered = self._content(sentence), numbers(sentence)
        if not wanted or _UNCHECKED.search(sentence) or sentence.rstrip().endswith("?"):
            return None
        numbers_cited = set(cited)
        if 0 in numbers_cited and self._seen and self._perceived(sentence, wanted, numbered):
            return ()
        units = [unit for number in sorted(numbers_cited) for unit in self._units(number)]
        denies = negated(sentence)
        if denies and not any(unit.negated and unit.terms & wanted for unit in units):
            return None
        usable = units if denies else [unit for unit in units if not unit.negated]
        chosen = self._cover(usable, wanted, numbered)
        if chosen is None or (denies and not any(unit.negated for unit in chosen)):
            return None
        words = frozenset(self._terms(" ".join(f"{unit.text} {unit.context}" for unit in chosen)))
        if not all(words.issuperset(self._terms(name)) for name in names(sentence)):
            return None
        return tuple(dict.fromkeys(unit.passage.cite(unit.line) for unit in chosen))

    def says(self, statement: str) -> tuple[Citation, ...]:
        """The one line that says a statement with all of its words, numbers and names, and denies what it denies; () if none."""
        wanted, cited = self._content(statement), self.of(statement, self._passages) or ()
        units = (unit for number in self._passages for unit in self._units(number))
        whole = (unit for unit in units if wanted <= unit.around and unit.negated == negated(statement))
        return tuple(found for unit in whole if (found := unit.passage.cite(unit.line)) in cited)[:1]

    def about(self, statement: str, said: str) -> bool:
        """Whether two texts have a word in common that says something."""
        return not self._content(statement).isdisjoint(self._content(said))

    def _cover(self, units: list[Unit], wanted: frozenset[str], numbered: frozenset[str]) -> list[Unit] | None:
        """The fewest units that have enough of the words and all of the numbers."""

        def share(unit: Unit) -> float:
            return len(unit.around & wanted) / len(wanted)

        one = max(
            (unit for unit in units if numbered <= unit.numbers and unit.terms & wanted),
            key=lambda unit: (share(unit), len(unit.terms & wanted)),
            default=None,
        )
        if one is not None and share(one) >= THRESHOLD:
            # "The lamp costs 10" is not said by "The sword costs 10" beside "The lamp costs 5".
            shown = (unit for number in self._passages if numbered for unit in self._units(number))
            better = (unit for unit in shown if share(unit) > share(one))
            return None if any(unit.numbers and not numbered <= unit.numbers for unit in better) else [one]
        if numbered:
            return None
        chosen: list[Unit] = []
        covered = frozenset[str]()
        left = [unit for unit in units if len(unit.terms & wanted) >= min(ANCHORS, len(wanted))]
        while left and len(chosen) < MAX_CITED and len(covered) < len(wanted):
            best = max(left, key=lambda unit: len((unit.around & wanted) - covered))
            if not (best.around & wanted) - covered:
                break
            chosen.append(best)
            left.remove(best)
            covered |= best.around & wanted
        return chosen if len(covered) / len(wanted) >= THRESHOLD else None

    def _perceived(self, sentence: str, wanted: frozenset[str], numbered: frozenset[str]) -> bool:
        """Whether all of it is what the player perceives: that is told in few words, so every one counts."""
        held = self._content(self._seen)
        return wanted <= held | self._self and numbered <= numbers(self._seen) and not negated(sentence)

    @cached_property
    def _self(self) -> frozenset[str]:
        """Words for having and seeing, which a view says by its keys."""
        return frozenset(self._terms("carry carrying hold holding see here room exit lead player"))

    def _content(self, text: str) -> frozenset[str]:
        return frozenset(self._terms(content(plain(text))))

    def _units(self, number: int) -> tuple[Unit, ...]:
        """The units of a passage; none of one that was not shown."""
        if number not in self._split_up:
            passage = self._passages.get(number)
            self._split_up[number] = tuple(self._split(passage)) if passage else ()
        return self._split_up[number]

    def _split(self, passage: Passage) -> Iterator[Unit]:
        head = passage.lines[0] if passage.lines[0].lstrip().startswith("|") else ""
        groups: list[tuple[int, list[str]]] = []
        for number, line in enumerate(passage.lines, passage.line):
            if not groups or _OWN.match(line):
                groups.append((number, [line]))
            else:
                groups[-1][1].append(line)
        for first, lines in groups:
            text, begin = "\n".join(lines), 0
            for end in [*(found.end() for found in _END.finditer(text)), len(text)]:
                said = _MARK.sub("", text[begin:end]) if not begin else text[begin:end]
                lead = end - begin - len(text[begin:end].lstrip())
                line = first + text.count("\n", 0, begin + lead)
                begin = end
                context = f"{passage.title} {passage.heading} {head if head != said else ''}"
                terms = self._content(said)
                if terms:
                    yield Unit(passage, line, said, context, terms, terms | self._content(context))


def sentences(text: str) -> list[str]:
    """The single sentences of what a model gave as one, without marks for passages and what nobody sees."""
    text = re.sub(r"\s*\[[\d,;\s]+\]", "", plain(text))
    return [part for each in _END.split(" ".join(text.split())) if (part := each.strip())]
