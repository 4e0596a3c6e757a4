"""Owns words: a line of text as comparable words, numbers in words, directions, commands in a line.

Plain functions. It must not know rulebooks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kb.rulebook import DIRECTIONS

MAX_LINE: Final = 1_000
ARTICLES: Final = frozenset({"the", "a", "an", "some", "my", "your", "his", "her", "their", "this", "these", "those"})
ABBREVIATIONS: Final = {
    "n": "north", "s": "south", "e": "east", "w": "west", "ne": "northeast", "nw": "northwest", "se": "southeast",
    "sw": "southwest", "u": "up", "d": "down", "upstairs": "up", "downstairs": "down", "inside": "in", "outside": "out",
    "north-east": "northeast", "north-west": "northwest", "south-east": "southeast", "south-west": "southwest",
}  # fmt: skip
NUMBERS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
}  # fmt: skip
POLITE: Final = tuple(
    tuple(phrase.split())
    for phrase in (
        "please", "kindly", "now", "i want to", "i would like to", "i'd like to", "i try to", "i", "let me", "let us",
        "let's", "can you", "could you", "can i", "could i", "may i", "you", "try to", "just",
    )
)  # fmt: skip
"""What may stand before a command and says nothing; the longer phrases of a beginning first."""
_WORD: Final = re.compile(r'"[^"]*"|[^\s,;"]+|[,;]')


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared (`key`), and where it stands in the cleaned line."""

    key: str
    start: int
    end: int


def clean(line: str) -> str:
    """The line in one Unicode form, without control characters, with single spaces."""
    line = unicodedata.normalize("NFKC", line[: MAX_LINE * 2]).replace("’", "'").replace("“", '"').replace("”", '"')
    kept = "".join(" " if char.isspace() else char for char in line if char.isprintable() or char.isspace())
    return " ".join(kept.split())


def words_of(line: str) -> list[Word]:
    """The words of a cleaned line; a comma is a word of its own, a quoted text is one word."""
    found: list[Word] = []
    for match in _WORD.finditer(line):
        text, start, end = match[0], match.start(), match.end()
        if text[0] != '"':
            stripped = text.rstrip("!?:") if len(text) > 1 else text
            if stripped.endswith(".") and len(stripped) > 1:
                stripped = stripped.rstrip(".")
            end -= len(text) - len(stripped)
            text = stripped
        if text and text not in "!?.:":
            found.append(Word(text.casefold(), start, end))
    return found


def direction(word: str) -> str | None:
    """The direction that a word or its abbreviation names."""
    return word if word in DIRECTIONS else ABBREVIATIONS.get(word)


def number(word: str) -> int | float | None:
    """The number that a word writes."""
    if word in NUMBERS:
        return NUMBERS[word]
    if re.fullmatch(r"[-+]?\d{1,18}", word):
        return int(word)
    if re.fullmatch(r"[-+]?\d{1,15}\.\d{1,15}", word):
        return float(word)
    return None


def singular(word: str) -> str | None:
    """A regular plural's singular."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else None


def spoken(words: Sequence[Word], is_verb: Callable[[str], bool], takes_text: Callable[[str], bool]) -> list[Word]:
    """The words without what is only polite: "could you take the lamp, please" is "take the lamp"."""
    left = list(words)
    while left and not is_verb(left[0].key):
        keys = tuple(word.key for word in left)
        phrase = next((p for p in POLITE if keys[: len(p)] == p and len(keys) > len(p)), None)
        if phrase is None:
            break
        del left[: len(phrase)]
        if left[0].key == "," and len(left) > 1:
            del left[0]
    if len(left) > 1 and left[-1].key == "please" and not takes_text(left[0].key):
        left = left[: -2 if len(left) > 2 and left[-2].key == "," else -1]
    return left


def split_line(line: str) -> list[str]:
    """The commands of a line, split at line ends, full stops, semicolons and "then" outside quotes."""
    parts: list[str] = []
    for chunk in re.split(r'("[^"]*")', line):
        if chunk.startswith('"'):
            parts[-1:] = [(parts[-1] if parts else "") + chunk]
            continue
        pieces = re.split(r"[\r\n]+|\s*;\s*|\.\s+|\.$|,?\s+(?:and\s+)?then\s+|^then\s+", chunk, flags=re.IGNORECASE)
        if parts:
            parts[-1] += pieces[0]
            parts += pieces[1:]
        else:
            parts = pieces
    return [part.strip(" ,") for part in parts if part.strip(" ,.")]
