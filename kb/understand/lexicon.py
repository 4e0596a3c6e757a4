"""Owns the words of one rulebook: its patterns by their first word, and each instance's nouns and adjectives.

`Lexicon(rulebook)` is made once for each rulebook. It must not know a player or a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kb.rulebook import DIRECTIONS, ActionType, Pattern, Role, Rulebook
from kb.types import Choice, Text
from kb.understand.words import ABBREVIATIONS, ARTICLES, direction, singular


@dataclass(frozen=True, slots=True)
class Form:
    """One pattern of one action."""

    action: ActionType
    parts: tuple[str | Role, ...]
    fixed: Mapping[str, Any]
    literal: int
    """How many words are literal."""


@dataclass(frozen=True, slots=True)
class Names:
    """An instance's names: each as (adjectives, noun) sets of words."""

    nouns: frozenset[str]
    words: frozenset[str]
    phrases: tuple[tuple[str, ...], ...]


class Lexicon:
    """What a rulebook's players can say."""

    def __init__(self, rulebook: Rulebook):
        self.forms: dict[str, list[Form]] = {}
        self.open_forms: list[Form] = []
        """Patterns that begin with a role (`<direction>`)."""
        self.literals: set[str] = set()
        self._wordy: set[str] = set()
        for action in rulebook.actions.values():
            for pattern in action.patterns:
                self._add(action, pattern)
        for forms in self.forms.values():
            forms.sort(key=lambda form: -form.literal)
        self.verbs = tuple(sorted(self.forms))
        self.has_places = any(kind == "place" for kind in (t.kind for t in rulebook.templates.values())) or bool(
            rulebook.settings.start
        )
        world = {word for t in rulebook.templates.values() for word in names_of(t.name, t.aliases).words}
        self.known = frozenset(
            {*world, *self.literals, *DIRECTIONS, *ABBREVIATIONS, *ARTICLES, "it", "them", "all", "and"}
        )

    def _add(self, action: ActionType, pattern: Pattern) -> None:
        literal = sum(1 for part in pattern.parts if isinstance(part, str))
        form = Form(action, pattern.parts, pattern.fixed, literal)
        self.literals |= {part for part in pattern.parts if isinstance(part, str)}
        first = pattern.parts[0]
        if isinstance(first, str) and any(isinstance(p, Role) and isinstance(p.type, Text) for p in pattern.parts):
            self._wordy.add(first)
        if isinstance(first, str):
            self.forms.setdefault(first, []).append(form)
        elif isinstance(first.type, Choice | Text):
            self.open_forms.append(form)

    def is_verb(self, word: str) -> bool:
        """Whether a pattern begins with this word."""
        return word in self.forms

    def takes_text(self, word: str) -> bool:
        """Whether what follows this verb may be free text, where "and" and full stops mean nothing."""
        return word in self._wordy

    def is_move(self, word: str) -> bool:
        """Whether the word alone is a command that goes somewhere."""
        way = direction(word)
        return way is not None and any(
            isinstance(form.parts[0], Role) and len(form.parts) == 1 and way in _options(form.parts[0])
            for form in self.open_forms
        )


def _options(role: Role) -> tuple[str, ...]:
    return role.type.options if isinstance(role.type, Choice) else ()


@lru_cache(maxsize=65_536)
def names_of(name: str, aliases: tuple[str, ...]) -> Names:
    """The nouns and adjectives of a name and its aliases: the last word of each is a noun."""
    phrases = [tuple(word for word in phrase.casefold().split() if word not in ARTICLES) for phrase in (name, *aliases)]
    phrases = [phrase for phrase in phrases if phrase]
    nouns = frozenset(phrase[-1].strip("'\".,") for phrase in phrases)
    words = frozenset(word.strip("'\".,") for phrase in phrases for word in phrase)
    return Names(nouns, words, tuple(phrases))


def matches(names: Names, phrase: Iterable[str]) -> bool:
    """Whether a noun phrase (without articles) can mean an instance with these names."""
    words = tuple(phrase)
    if not words:
        return False
    last = words[-1]
    noun = last in names.nouns or (words in names.phrases)
    return noun and all(word in names.words for word in words)


def plural_matches(names: Names, phrase: Iterable[str]) -> bool:
    """Whether the phrase is a plural of an instance's names ("lamps")."""
    words = tuple(phrase)
    one = singular(words[-1]) if words else None
    return one is not None and one in names.nouns and all(word in names.words for word in words[:-1])
