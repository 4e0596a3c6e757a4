"""Owns workflows in prose: the numbered steps of a page, and which of them say exactly what is to be done.

`steps(sections)` reads a page. What is exact stands in `backticks` or quotes; a step with a condition is never exact. It must not
know how a step is carried out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kb.search import Sections

MAX_STEPS = 50
Does = Literal["act", "ask", "search", "check", "stop", "prose"]
"""`check`: an action or a statement is validated, and the workflow goes on only if it is not invalid. `prose`: somebody has to
understand it."""
_ITEM = re.compile(r" {0,3}(\d{1,3})[.)]\s+(.*)")
_CODE = re.compile(r"`([^`\n]+)`")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]+)[\"”]")
_CONDITION = re.compile(r"\b(?:if|unless|otherwise|when|whether|until|while|else|in case|repeat)\b", re.IGNORECASE)
_CHECK = re.compile(r"(?:check|validate|verify|make sure|be sure)\b", re.IGNORECASE)
_SEARCH = re.compile(r"(?:search|look up|find)\b", re.IGNORECASE)
_ASK = re.compile(r"ask\b", re.IGNORECASE)
_STOP = re.compile(r"(?:stop|end)(?: here)?[.!]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `said` are its exact parts: commands, the question, the words to look up, what is validated."""

    number: int
    line: int
    text: str
    does: Does
    said: tuple[str, ...] = ()

    @property
    def conditional(self) -> bool:
        return _CONDITION.search(self.text) is not None


def steps(page: Sections) -> list[Step]:
    """The steps of a page in order, numbered from 1 whatever its numbers say; those of its first numbered list."""
    found = list(_items(page))[:MAX_STEPS]
    return [Step(number, line, text, *_exact(text)) for number, (line, text) in enumerate(found, 1)]


def _items(page: Sections) -> Iterator[tuple[int, str]]:
    for part in page.parts:
        line, words = 0, list[str]()
        fenced = False
        for number, each in enumerate(part.text.split("\n"), part.line):
            fenced ^= each.lstrip().startswith(("```", "~~~"))
            item = None if fenced else _ITEM.match(each)
            if item:
                if words:
                    yield line, " ".join(words)
                line, words = number, [item[2].strip()]
            elif words and each.strip() and not each.lstrip().startswith(("#", "```", "~~~")):
                words.append(each.strip())
            elif words and not each.strip():
                yield line, " ".join(words)
                words = []
        if words:
            yield line, " ".join(words)
        if line:
            return


def _exact(text: str) -> tuple[Does, tuple[str, ...]]:
    code, quoted = tuple(_CODE.findall(text)), tuple(_QUOTED.findall(text))
    if _STOP.fullmatch(text):
        return "stop", ()
    if _CHECK.match(text) and len(code) == 1:
        return "check", code
    if _ASK.match(text) and len(quoted) == 1:
        return "ask", quoted
    if text.endswith("?") and not code and not _ASK.match(text):
        return "ask", (text,)
    if _CONDITION.search(text):
        return "prose", ()
    if _SEARCH.match(text) and len(quoted) == 1 and not code:
        return "search", quoted
    return ("act", code) if code else ("prose", ())
