"""Owns "did you mean": the nearest of some known words.

It must not know what the words are.
"""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

_LIMIT = 5_000


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to `word`, or None where none is near enough to be meant."""
    known = [each for each, _ in zip(candidates, range(_LIMIT), strict=False)]
    allowed = 1 if len(word) < 5 else 2 if len(word) < 9 else 3
    best = process.extractOne(word, known, scorer=DamerauLevenshtein.distance, score_cutoff=allowed)
    return best[0] if best else None


def suggest(word: str, candidates: Iterable[str]) -> str:
    """ "Did you mean `x`?", or "" where nothing is near."""
    near = closest(word, candidates)
    return f"Did you mean `{near}`?" if near else ""
