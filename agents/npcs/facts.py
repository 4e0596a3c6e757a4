"""Owns what is taken from a player's words by exact patterns: name, home, work, likings, promises. No model is asked.

`found(words)` gives `Told`s whose values stand in the words. It must not guess: what no pattern matches at the beginning of a
sentence is not a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.npcs.memory import MAX_VALUE, Told

_LEAD = r"(?:(?:hello|hi|hey|well|yes|no|oh|ah|please|good (?:day|morning|evening)|by the way|and|but|actually|now)[,!]?\s+)*"
_NAME = r"(?P<value>[^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*){0,3})"
_REST = r"(?P<value>[^.!?;:\n\"“”]{2,80}?)"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (key, re.compile(rf"{_LEAD}{pattern}\s*$", re.IGNORECASE))
    for key, pattern in (
        ("name", rf"(?:my name is|my name['’]s|i am called|i['’]m called|call me|they call me|you may call me|you can call me) {_NAME}"),
        ("home", rf"(?:i come from|i am from|i['’]m from|i live in|my home is|i hail from) (?P<value>[^\W\d_][\w'’ -]{{1,60}}?)"),
        ("work", rf"(?:i work as|my trade is|my work is|i earn my living as) (?:an? )?{_REST}"),
        ("liked", rf"i (?:really )?(?:like|love|adore|am fond of) {_REST}"),
        ("disliked", rf"i (?:really )?(?:hate|dislike|detest|cannot stand|can['’]t stand|do not like|don['’]t like) {_REST}"),
        ("promise", rf"(?:i (?:do )?promise (?:you )?(?:that )?(?:i will |i['’]ll |i shall |to )|you have my word that (?:i will |i['’]ll )"
                    rf"|i give you my word that (?:i will |i['’]ll )|i swear (?:to you )?(?:that )?(?:i will |i['’]ll |to )){_REST}"),
        ("withdrawn", rf"i (?:take back|withdraw) my promise to {_REST}"),
    )
)  # fmt: skip
_NOT_NAMES = frozenset("a an the not so very that what when later back tomorrow crazy mad you your mine".split())
_SENTENCE = re.compile(r"[.!?;\n]+|,? and (?=(?:i|my) )", re.IGNORECASE)
MAX_TOLD = 6
"""In one turn."""


def found(words: str) -> list[Told]:
    """What the words tell, in their order. A later value of a key stands for the earlier one."""
    return list(_found(words))[:MAX_TOLD]


def _found(words: str) -> Iterator[Told]:
    for sentence in _SENTENCE.split(words):
        said = sentence.strip(" \t\"“”'‘’,")
        for key, pattern in _PATTERNS:
            match = pattern.match(said)
            if match is None:
                continue
            value = " ".join(match["value"].split()).rstrip(" ,")[:MAX_VALUE]
            if key in ("name", "home") and value.split()[0].casefold() in _NOT_NAMES - (
                {"the"} if key == "home" else set()
            ):
                continue
            yield _told(key, value)
            break


def _told(key: str, value: str) -> Told:
    if key == "promise":
        return Told("promise", value, value)
    if key == "withdrawn":
        return Told("promise", value, "")
    if key in ("liked", "disliked"):
        return Told("fact", f"taste:{value.casefold()}", f"{'likes' if key == 'liked' else 'does not like'} {value}")
    return Told("fact", key, value)


def sentences(memory_facts: dict[str, str]) -> list[str]:
    """Facts as short lines: `is called Ada`, `comes from Norwich`, `likes honey`."""
    wording = {"name": "is called {}", "home": "comes from {}", "work": "works as {}"}
    return [wording.get(key, "{}").format(value) for key, value in memory_facts.items()]
