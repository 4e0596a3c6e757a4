"""Owns what a message is by labelled examples, without a model: its likeliest route, and how likely that is.

`Labels.shipped().of(message, is_verb)`; `router/examples.md` holds the examples, from which a linear model over words and letters is
learned when it is first needed. The same examples give the same answers everywhere. It must not know games, models or pages.
"""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from router.answer import Route

SURE: Final = 0.8
"""Of a label that settles a message where a model could be asked; below it the call decides."""
ROUTES: Final[tuple[Route, ...]] = ("action", "direct", "knowledge", "team", "help")
_PASSES, _RATE, _DECAY = 12, 0.5, 1e-5
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

    def of(self, message: str, is_verb: Callable[[str], bool] | None = None) -> Label:
        """What a message is; `is_verb` knows the verbs of the world in which it is said."""
        with self._learning:
            learned = self._learned
        chances = learned.chances(features(message, learned.verbs, is_verb))
        best = max(range(len(ROUTES)), key=chances.__getitem__)
        return Label(ROUTES[best], chances[best])

    @cached_property
    def _learned(self) -> _Learned:
        return _learn(self._examples)


@dataclass(frozen=True, slots=True)
class _Learned:
    """A weight of each feature for each route."""

    weights: Mapping[str, Sequence[float]]
    verbs: frozenset[str]

    def chances(self, found: Sequence[str]) -> list[float]:
        known = [weights for name in found if (weights := self.weights.get(name)) is not None]
        size = 1 / math.sqrt(len(found) or 1)
        return _shares([size * sum(each[at] for each in known) for at in range(len(ROUTES))])


def _shares(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    parts = [math.exp(score - most) for score in scores]
    whole = sum(parts)
    return [part / whole for part in parts]


def _learn(examples: Sequence[tuple[str, Route]]) -> _Learned:
    """Logistic regression by gradient descent, one example after the other, in an order that spreads the routes."""
    verbs = frozenset(words[0] for text, route in examples if route == "action" and (words := _words(_bare(text))))
    rows = [(features(text, verbs), ROUTES.index(route)) for text, route in examples]
    weights: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * len(ROUTES))
    learned = _Learned(weights, verbs)
    order = sorted(range(len(rows)), key=lambda at: (at * 7919) % 104_729)
    for turn in range(_PASSES):
        rate = _RATE / (1 + turn)
        for at in order:
            found, right = rows[at]
            size = 1 / math.sqrt(len(found) or 1)
            vectors = [weights[name] for name in found]
            chances = _shares([size * sum(each[route] for each in vectors) for route in range(len(ROUTES))])
            steps = [rate * size * 6 * (float(route == right) - chances[route]) for route in range(len(ROUTES))]
            for vector in vectors:
                for route, step in enumerate(steps):
                    vector[route] += step - _DECAY * vector[route]
    return _Learned(dict(weights), verbs)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+|[?!*=<>{}]", text)


def _bare(text: str) -> str:
    return _POLITE.sub("", text.casefold().replace("’", "'").strip())


def features(message: str, verbs: frozenset[str], is_verb: Callable[[str], bool] | None = None) -> list[str]:
    """What of a message tells its route: words and pairs, how it begins, whether that is a verb, letters of its words."""
    text = message[:_MAX].casefold().replace("’", "'").strip()
    words, bare = _words(text), _words(_bare(text))
    found = {"", *(f"w:{word}" for word in words), *(f"b:{a} {b}" for a, b in zip(words, words[1:], strict=False))}
    found |= {f"1:{' '.join(words[:1])}", f"2:{' '.join(words[:2])}", f"3:{' '.join(words[:3])}"}
    head = " ".join(bare[:1])
    found |= {f"h:{head}", f"h2:{' '.join(bare[:2])}", f"l:{min(len(words), 12)}", f"e:{text[-1:] if text else ''}"}
    if head in verbs or (is_verb is not None and is_verb(head)):
        found.add("verb")
    if len(bare) < len(words):
        found.add("polite")
    for word in words:
        padded = f"^{word}$"
        found.update(f"c:{padded[at : at + 4]}" for at in range(max(1, len(padded) - 3)))
    return sorted(found)


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
