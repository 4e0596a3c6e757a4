"""Owns the words of questions and sentences: which say nothing, which negate, which are numbers. It must not know pages."""

from __future__ import annotations

import re

_EMPTY = """
a about all also an and any are as at be been being but by can could did do does for from had has have he her him his how i if in
into is it its may me might must my of on one or our please shall she should so some such tell that the their them then there
these they this those to us was we were what when where which while who whom whose why will with would you your
"""
EMPTY = frozenset(_EMPTY.split())
"""Words that every page and every question has: they say nothing about whether a page answers the question."""
_DENYING = "not no never none nobody nothing nowhere neither nor cannot without unless except forbidden refused refuses"
_NEGATING = _DENYING.split()
_NEGATED = re.compile(rf"\b(?:{'|'.join(_NEGATING)}|\w+n['’]t)\b|(?<![\w=])!(?=[\w(])", re.IGNORECASE)
"""The last is a rule's expression: `!item.fixed`."""
_SHORT = "t s don didn doesn isn aren wasn weren won couldn wouldn shouldn hasn haven hadn"
_FIRST = "after another before between both during each every many most once only over under until within"
_BEGINNING = frozenset(_FIRST.split())
_NUMBER = re.compile(r"(?<![\w.])(?:(?<![\w)])[-−])?\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_TO_TWENTY = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty
"""
_NUMBERS = {word: str(value) for value, word in enumerate(_TO_TWENTY.split()) if word != "one"} | {  # "one" mostly counts nothing
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "thousand": "1000", "million": "1000000", "half": "1/2", "twice": "2", "dozen": "12",
}  # fmt: skip


def normal(question: str) -> str:
    """A question as it is looked up: without case, space and signs at its ends."""
    return " ".join(question.casefold().split()).strip(" ?!.")


def telling(question: str) -> str:
    """The words of a question that a page can be found by."""
    return " ".join(word for word in re.findall(r"[\w'’-]+", question.casefold()) if word not in EMPTY)


def content(text: str) -> str:
    """The words that say what a sentence is about. Numbers are compared as such: "lamp 5" and "sword 5" share no word."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return " ".join(word for word in words if word not in _OTHERS and not word[0].isdigit())


def negated(text: str) -> bool:
    return _NEGATED.search(text) is not None


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text, digits or words, as digits: `1,000` and `thousand` are `1000`."""
    found = (re.sub(r",(?=\d{3}\b)", "", each.replace("−", "-")) for each in _NUMBER.findall(text))
    digits = {each.lstrip("0") or "0" for each in found}
    return frozenset(digits | {_NUMBERS[word] for word in map(str.casefold, _WORD.findall(text)) if word in _NUMBERS})


def names(sentence: str) -> frozenset[str]:
    """Words that are written as names, lower case: with a capital, also the first, where it does not often begin a sentence."""
    words = _WORD.findall(sentence)
    found = {re.sub(r"['’]s$", "", word.casefold()) for word in words if word[0].isupper()}
    return frozenset(found - EMPTY - ({words[0].casefold()} & _BEGINNING if words else set()))


_OTHERS = EMPTY | frozenset(_NEGATING) | frozenset(_SHORT.split()) | _NUMBERS.keys()
