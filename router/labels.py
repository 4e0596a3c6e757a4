"""Owns what a message is by labelled examples, without a model: its likeliest route, and how likely that is.

`Labels.shipped().of(message, is_verb)`; `router/examples.md` holds the examples, from which a linear model over words and letters is
learned when it is first needed. The same examples give the same answers everywhere. It must not know games, models or pages.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from kb.rulebook import Rulebook
from router.answer import Route
from router.words import LORE, MADE, MAKES, OUTSIDE, SHORT, SMALL, TALK, TOGETHER, VERBS

SURE: Final = 0.8
"""Of a label that settles a message where a model could be asked; below it the call decides."""
ROUTES: Final[tuple[Route, ...]] = ("action", "direct", "knowledge", "team", "help")
_PASSES, _RATE, _ENOUGH = 8, 3.0, 0.9
_COUNTED: Final = 0.15
"""Share of the counts in a weight: the best of 0, 0.15 and 0.3 on examples held out."""
_SORTS: Final = (("made", MADE), ("out", OUTSIDE), ("together", TOGETHER), ("talk", TALK), ("lore", LORE))
_USUAL: Final = SMALL | VERBS | MAKES | MADE | TOGETHER | OUTSIDE | TALK | LORE
_DETERMINERS: Final = frozenset(
    ["the", "a", "an", "my", "your", "his", "her", "their", "our", "its", "this", "that", "these", "those", "some"]
)
_MAX = 400
"""Characters that are looked at: what somebody wants, they say at the start."""
_POLITE: Final = re.compile(
    r"^(?:(?:please|pls|plz|kindly|maybe|perhaps|just|now|ok|okay|so|well|hey|hi|hello|and|then|first|dear \w+|um|uh)\b[ ,!.]*"
    r"|(?:can|could|would|will) (?:you|u|we|i)(?: (?:please|maybe|mind|kindly|just|perhaps))*\b[ ,]*"
    r"|(?:i|we) (?:want|need|wish|would like|'d like|wanna|will|'ll|am going|think i(?:'ll| will)|should|try)(?: you)?(?: to)?\b ?"
    r"|i'd (?:like|rather|love)(?: you)?(?: to)?\b ?|i'll\b ?|i wanna\b ?|let'?s\b ?|let us\b ?|let me\b ?|lemme\b ?|gonna\b ?"
    r"|(?:try|attempt|going) to\b ?|do me a favou?r and\b ?|be so kind (?:and|as to)\b ?|may i\b ?|i\b (?=\w+ (?:the|a|an|my|it|at|to)\b))+"
)


@dataclass(frozen=True, slots=True)
class Label:
    """A route, and its probability."""

    route: Route
    probability: float


class Labels:
    """Learned from (message, route) pairs."""

    def __init__(self, examples: Sequence[tuple[str, Route]]):
        self._examples = examples
        self._learning = threading.Lock()

    @staticmethod
    def shipped() -> Labels:
        """By the examples that ship."""
        return _SHIPPED

    def of(
        self,
        message: str,
        is_verb: Callable[[str], bool] = lambda _: False,
        is_word: Callable[[str], bool] = lambda _: False,
    ) -> Label:
        """What a message is; `is_verb` knows the verbs of the world in which it is said, `is_word` the words of its names."""
        with self._learning:
            learned = self._learned
        chances = learned.chances(features(message, learned.known, is_verb, is_word))
        best = max(range(len(ROUTES)), key=chances.__getitem__)
        return Label(ROUTES[best], chances[best])

    @property
    def ready(self) -> bool:
        """Whether it was learned; the first message pays for that, some two seconds."""
        return "_learned" in self.__dict__

    @cached_property
    def _learned(self) -> _Learned:
        return _learn(self._examples)


@dataclass(frozen=True, slots=True)
class _Learned:
    """A weight of each feature for each route."""

    weights: Mapping[str, Sequence[float]]
    known: Mapping[str, int]

    def chances(self, found: Sequence[str]) -> list[float]:
        known = [weights for name in found if (weights := self.weights.get(name)) is not None]
        size = 1 / math.sqrt(len(found))
        return _shares([size * sum(scores) for scores in zip(*known, strict=True)])


def _shares(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    parts = [math.exp(score - most) for score in scores]
    whole = sum(parts)
    return [part / whole for part in parts]


def _learn(examples: Sequence[tuple[str, Route]]) -> _Learned:
    """Logistic regression by gradient descent, one example after the other, in an order that spreads the routes."""
    known = Counter(word for text, _ in examples for word in set(_words(_plain(text))))
    rows = [(features(text, known, own=True), ROUTES.index(route)) for text, route in examples]
    weights: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * len(ROUTES))
    order = sorted(range(len(rows)), key=lambda at: (at * 7919) % 104_729)
    for turn in range(_PASSES):
        rate = _RATE / (1 + turn)
        for at in order:
            found, right = rows[at]
            vectors = [weights[name] for name in found]
            size = 1 / math.sqrt(len(found))
            chances = _shares([size * sum(scores) for scores in zip(*vectors, strict=True)])
            if chances[right] > _ENOUGH:
                continue
            steps = [rate * size * (float(route == right) - chance) for route, chance in enumerate(chances)]
            for vector in vectors:
                for route, step in enumerate(steps):
                    vector[route] += step
    _add_counts(weights, rows)
    return _Learned(dict(weights), known)


def _add_counts(weights: Mapping[str, list[float]], rows: Sequence[tuple[Sequence[str], int]]) -> None:
    """To each weight, a share of how often the feature is seen with each route: it steadies what few examples have taught."""
    routes = Counter(right for _, right in rows)
    seen = Counter((name, right) for found, right in rows for name in found)
    for name, vector in weights.items():
        for route in range(len(ROUTES)):
            vector[route] += _COUNTED * math.log((seen[name, route] + 0.1) / (routes[route] + 0.2))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+|[?!*=<>{}]", text)


def _plain(message: str) -> str:
    """A message in small letters, its shorthand written out."""
    text = message[:_MAX].casefold().replace("’", "'").strip()
    return re.sub(r"[\w']+", lambda found: SHORT.get(found[0], found[0]), text) if " " in text else text


def _mended(word: str, known: Mapping[str, int], is_word: Callable[[str], bool] | None) -> str:
    """A misspelt word as the one that it is nearest to; only where somebody knows which words there are."""
    if is_word is None or len(word) < 3 or not word.isalpha() or word in known or word in _USUAL or is_word(word):
        return word
    cutoff = 1 if len(word) < 7 else 2
    found = process.extract(word, [*_USUAL, *known], scorer=DamerauLevenshtein.distance, score_cutoff=cutoff, limit=5)
    near = [(distance, each[0] != word[0], -known.get(each, 0), each) for each, distance, _ in found if len(each) > 2]
    return min(near)[3] if near else word


def features(
    message: str,
    known: Mapping[str, int],
    is_verb: Callable[[str], bool] | None = None,
    is_word: Callable[[str], bool] | None = None,
    own: bool = False,
) -> list[str]:
    """What of a message tells its route: its words and pairs, letters, how it begins, and the same with each word as its sort.

    `known` counts the examples that have a word; `own`: this one is among them.
    """
    text = _plain(message)
    words = [_mended(word, known, is_word) for word in _words(text)]
    text = text if is_word is None else " ".join(words)
    bare = _words(_POLITE.sub("", text))
    sorts, bare_sorts = [_sort(word, is_verb) for word in words], [_sort(word, is_verb) for word in bare]
    found = {"", *(f"w:{word}" for word in words), *(f"b:{a} {b}" for a, b in pairwise(words))}
    for size in (1, 2, 3):
        found |= {f"{size}:{' '.join(words[:size])}", f"h{size}:{' '.join(bare[:size])}"}
        found |= {f"s{size}:{' '.join(sorts[:size])}", f"t{size}:{' '.join(bare_sorts[:size])}"}
    found |= {f"p:{a} {b}" for a, b in pairwise(bare_sorts)}
    if words:
        found |= {f"{kind}:{begin} {sort}" for kind, begin in (("f", words[0]), ("g", sorts[0])) for sort in sorts[1:]}
    found |= {f"n:{min(len(words), 8)}", f"e:{text[-1:] if text[-1:] in '?!.' else ''}"}
    if len(bare) < len(words):
        found.add("polite")
    for name, kind in _SORTS:
        found |= {f"{name}:{at}" for at in range(1, 1 + min(3, len(kind.intersection(words))))}
    if bare and bare[0] in MAKES:
        found |= {"makes", f"makes made {bool(MADE.intersection(bare[1:]))} {bool(TOGETHER.intersection(bare[1:]))}"}
    letters = [word for word in words if word.isalpha()]
    strange = sum(
        known.get(word, 0) <= own and word not in _USUAL and not (is_word is not None and is_word(word))
        for word in letters
    )
    found.add(f"strange:{round(4 * strange / len(letters))} {min(len(letters), 3)}" if letters else "no letters")
    found |= {f"odd:{kind}" for word in words for kind in _odd(word)}
    for word in words:
        padded = f"^{word}$"
        found.update(f"c:{padded[at : at + 4]}" for at in range(max(1, len(padded) - 3)))
    return sorted(found)


def _sort(word: str, is_verb: Callable[[str], bool] | None) -> str:
    """A word as it stands for others of its sort."""
    if word in _DETERMINERS:
        return "DET"
    if word in SMALL and word not in {"up", "down", "in", "out", "i"}:
        return word
    if word in OUTSIDE:
        return "OUT"
    if word in VERBS or (is_verb is not None and is_verb(word)):
        return "VERB"
    if word in MAKES:
        return "MAKE"
    for sort, kind in (("MADE", MADE), ("TALK", TALK), ("LORE", LORE)):
        if word in kind:
            return sort
    return "NUMBER" if word.isdigit() else "WORD" if word.isalpha() else word


def _odd(word: str) -> Iterator[str]:
    """What no word of a language is like."""
    if len(word) > 3 and word.isalpha():
        if not re.search(r"[aeiouy]", word) or re.search(r"[^aeiouy]{5}", word):
            yield "consonants"
        if re.search(r"(.)\1\1", word):
            yield "repeats"
        if re.search(r"asdf|qwer|hjkl|zxcv|sdfg|dfgh|jkl|uiop", word):
            yield "keys"


def words_of_names(rulebook: Rulebook) -> frozenset[str]:
    """The words of all that a world has a name for."""
    names = (name for each in rulebook.templates.values() for name in (each.name, *each.aliases))
    return frozenset(word for name in names for word in _words(name.casefold()))


def load(file: Path) -> list[tuple[str, Route]]:
    """The examples of a page: bullets below the heading of their route."""
    examples: list[tuple[str, Route]] = []
    route: Route | None = None
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("## "):
            route = next(each for each in ROUTES if each == line[3:].strip())
        elif line.startswith("- ") and route is not None:
            examples.append((line[2:].strip(), route))
    return examples


class _Shipped(Labels):
    """Reads the examples when the first message is labelled."""

    def __init__(self) -> None:
        super().__init__(())

    @cached_property
    def _learned(self) -> _Learned:
        return _learn(load(Path(__file__).with_name("examples.md")))


_SHIPPED = _Shipped()
