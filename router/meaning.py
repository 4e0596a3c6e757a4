"""Owns whether two questions mean the same by their words, and whether an answer may be kept at all.

`same_meaning(a, b)` asks for the same words of content in the same order: a vector alone cannot tell "climb up" from "climb down", nor
who gave what to whom. It must not know models.
"""

from __future__ import annotations

import re
from typing import Final

from kb.view import words_of
from router.words import SMALL

_POLITE: Final = re.compile(
    r"^(?:(?:hey|hi|hello|please|so|well|ok|okay|um|and|but|kindly|just|sorry|excuse me|i wonder|i was wondering"
    r"|do you know|(?:can|could|would|will) you (?:please )?(?:tell|remind|explain to) me|(?:please )?(?:tell|remind) me"
    r"|i(?: would|'d)? (?:want|like|need) to know)[ ,]+)+"
)
_SHORT: Final[dict[str, str]] = {
    "'s": " is",
    "'re": " are",
    "n't": " not",
    "'ll": " will",
    "'ve": " have",
    "'d": " would",
    "'m": " am",
}
_NOTHING: Final = frozenset({"the", "a", "an", "is", "are", "do", "does", "am", "be", "please", "exactly", "of", "s"})
"""Words that say nothing: no number, name, direction, negation, time, person or question word is among them."""
_SAME: Final[dict[str, str]] = {
    "purchase": "buy", "large": "big", "stairway": "stairs", "weapons": "weapon", "whats": "what", "wheres": "where",
    "located": "", "situated": "", "cannot": "can not",
}  # fmt: skip
"""Words that mean another, whatever stands beside them; nothing: they add nothing."""
_UNIQUE: Final = re.compile(
    r"\b(now|today|tonight|tomorrow|yesterday|time|date|currently|current|latest|lately|recent(ly)?|just|still|yet|already|again"
    r"|another|other|more|next|last|random(ly)?|roll|dice|surprise|joke|story|poem|song|invent|guess|news|weather"
    r"|since|until|ago|soon|moment|minute|hour|day|week)s?\b",
    re.IGNORECASE,
)


def content(text: str) -> tuple[str, ...]:
    """The words of a question that say something, in order."""
    text = text.casefold().replace("’", "'").strip()
    text = _POLITE.sub("", text)
    text = text.replace("can't", "can not").replace("won't", "will not")
    for short, long in _SHORT.items():
        text = re.sub(rf"{short}\b", long, text)
    found = [each[0] for each in re.finditer(r"[\w'-]+|[+<>=%$€#*/]", text)]
    words = " ".join(_SAME.get(word, word) for word in found).split()
    return tuple(word for word in words if word not in _NOTHING)


def same_meaning(one: str, other: str) -> bool:
    """Whether two questions have the same words of content in the same order."""
    words = content(one)
    return bool(words) and words == content(other)


def meaningful(message: str) -> frozenset[str]:
    """The words of a message that are not in every sentence."""
    return words_of(message) - SMALL


def may_be_kept(message: str) -> bool:
    """Whether the same answer would do again: not where time or chance is in it."""
    return _UNIQUE.search(message) is None
