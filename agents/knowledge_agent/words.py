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
_NEGATED = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|unless|except|forbidden|refused|refuses|"
    r"\w+n['’]t)\b|(?<![\w=])!(?=[\w(])",  # the last: a rule's expression
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
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


def negated(text: str) -> bool:
    return _NEGATED.search(text) is not None


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text, digits or words, as digits: `1,000` and `thousand` are `1000`."""
    digits = {re.sub(r",(?=\d{3}\b)", "", found).lstrip("0") or "0" for found in _NUMBER.findall(text)}
    return frozenset(digits | {_NUMBERS[word] for word in map(str.casefold, _WORD.findall(text)) if word in _NUMBERS})


def names(sentence: str) -> frozenset[str]:
    """Words that are written as names, lower case: with a capital, also at the beginning, where it is no empty word."""
    found = (word for word in _WORD.findall(sentence) if word[0].isupper())
    return frozenset(re.sub(r"['’]s$", "", word.casefold()) for word in found) - EMPTY
