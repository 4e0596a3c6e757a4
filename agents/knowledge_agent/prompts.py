"""Owns what a model is asked, mode by mode, and how its answer is read: sentences with numbers of passages, never with paths.

`asking(...)` makes the two messages, `said(data)` reads any JSON that comes back. It must not know how passages are chosen.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from agents.knowledge_agent.findings import Verdict
from agents.knowledge_agent.passages import Passage, plain
from agents.models import MARKED, Marked
from storage.records import Json

VERSION = 1
"""Of the prompts: another version finds nothing that an older one left in the cache."""
MAX_SENTENCES, MAX_SENTENCE, MAX_QUESTION = 12, 400, 1_000
_VERDICTS: tuple[Verdict, ...] = ("valid", "invalid", "unclear")

_RULES = (
    "Answer only from the numbered passages. Write short sentences, one fact each, in the passages' own words. "
    "With each sentence give the numbers of the passages that say it. Use no name and no number that they do not hold. "
    f"What they do not say, leave out; if they say nothing of it, give no sentences. {MARKED}"
)
_MODES: Mapping[str, str] = {
    "interpret": "You help somebody decide. Say in at most three sentences what the pages say about the question.",
    "validate": (
        "You judge whether something is allowed or true. `verdict` is valid, invalid, or unclear where the passages do not "
        "settle it; the sentences say why."
    ),
    "synthesise": "You bring together what several pages say about a subject, in at most ten sentences.",
}
_SENTENCES: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "passages": {"type": "array", "items": {"type": "integer"}}},
        "required": ["text", "passages"],
        "additionalProperties": False,
    },
}


def schema(mode: Literal["interpret", "validate", "synthesise"]) -> Json:
    """The JSON schema of an answer."""
    properties: Json = {"verdict": {"type": "string", "enum": list(_VERDICTS)}} if mode == "validate" else {}
    properties["sentences"] = _SENTENCES
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def asking(
    mode: Literal["interpret", "validate", "synthesise"], question: str, passages: Sequence[Passage], seen: str
) -> tuple[str, str]:
    """The system prompt, and the user's message with the question and the passages as data."""
    parts = [str(Marked(shown(question[:MAX_QUESTION]), "question"))]
    if seen:
        parts.append(f"Passage [0], what the player perceives now:\n{Marked(shown(seen), 'perceived')}")
    for path, group in itertools.groupby(passages, key=lambda each: each.path):
        text = "\n".join(f"[{each.number}] ({shown(each.heading)}) {shown(each.text)}" for each in group)
        parts.append(str(Marked(text, path)))
    return f"{_MODES[mode]} {_RULES}", "\n\n".join(parts)


def shown(text: str) -> str:
    """A page's or a person's text as a model sees it: nothing hidden, and no number that could pose as a passage's."""
    return re.sub(r"\[(\d+)\]", r"(\1)", plain(text))


def said(data: Any) -> tuple[Verdict, list[tuple[str, tuple[int, ...]]]]:
    """The verdict and the sentences with their passages, of whatever a model gave; what has no such shape is left out."""
    if not isinstance(data, dict):
        return "unclear", []
    answer = cast("dict[str, Any]", data)
    verdict = answer.get("verdict")
    given = answer.get("sentences")
    found: list[tuple[str, tuple[int, ...]]] = []
    for each in cast("list[Any]", given)[:MAX_SENTENCES] if isinstance(given, list) else ():
        sentence = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        text, numbers = sentence.get("text"), sentence.get("passages")
        if isinstance(text, str) and isinstance(numbers, list) and len(text) <= MAX_SENTENCE:
            cited = (number for number in cast("list[Any]", numbers) if type(number) is int)
            found.append((text, tuple(cited)))
    return (verdict if verdict in _VERDICTS else "unclear"), found
