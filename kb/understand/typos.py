"""Owns misspellings: the one word that a misspelt word can mean, if there is exactly one.

`nearest(word, candidates)`. It must not know what the words stand for.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein


def nearest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate that is one letter away (two from eight letters on); None where there is none or several.

    The first letter must be right, for a wrong one makes another word ("feast" is not a slip for "east"); or two
    neighbours changed places, which is the likelier slip: "taek" is take, not talk.
    """
    if len(word) < 3:
        return None
    near: list[tuple[int, bool, str]] = []
    for candidate, distance, _ in process.extract(
        word, candidates, scorer=DamerauLevenshtein.distance, score_cutoff=2, limit=None
    ):
        swapped = distance == 1 and sorted(candidate) == sorted(word)
        slip = candidate[0] == word[0] and len(candidate) >= 4 and distance <= (2 if len(candidate) >= 8 else 1)
        if distance and (swapped or slip):
            near.append((int(distance), not swapped, candidate))
    near.sort()
    if not near or (len(near) > 1 and near[0][:2] == near[1][:2]):
        return None
    return near[0][2]


def note(word: str, taken: str) -> str:
    """What the player is told of a correction."""
    return f"(taking “{word}” as “{taken}”)"
