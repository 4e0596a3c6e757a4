"""Owns letting a model speak for an NPC: sentence by sentence, each checked before it is shown, with the rules' text behind it.

`async for each in worded(...)`. A player reads honest sentences or the text without a model, never an error. It must not know games.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from agents.models.model import Answer, Model, ModelError, Request, Usage
from agents.npcs.claims import MAX_SENTENCE, Claims

MAX_SENTENCES = 4
_END = re.compile(r"[.!?…]+[\"”’'»)]*(?:\s+|$)|\n+")


@dataclass(slots=True)
class Worded:
    """What became of it: `text` is what was shown. `wrong` says what was refused or why there was no answer."""

    text: str = ""
    wrong: str = ""
    usage: list[Usage] = field(default_factory=list[Usage])

    def add(self, piece: str) -> str:
        """A piece that is to be shown."""
        self.text += piece
        return piece


async def worded(
    model: Model, request: Request, claims: Claims, done: Worded, *, fallback: str, keep: tuple[str, ...] | None
) -> AsyncGenerator[str]:
    """The pieces to show; `done` tells the rest at the end. Where nothing honest was said, or (`keep`, names that the rules' text
    has) something of the rules' text is missing from it, `fallback` follows."""
    shown: list[str] = []
    try:
        async for sentence in _sentences(model, request, done):
            # What comes after a refused sentence is read to its end, for what it cost, and not shown.
            if done.wrong or len(shown) == MAX_SENTENCES:
                continue
            done.wrong = "it repeats itself" if sentence in shown else claims.wrong(sentence)
            if not done.wrong:
                shown.append(sentence)
                yield done.add(sentence if not done.text else f" {sentence}")
    except ModelError as error:
        done.usage += error.usage
        done.wrong = f"the model gave no answer: {error.kind}"  # what a provider says is not for players
    if not done.text:
        yield done.add(fallback)
    elif keep is not None and claims.missing(done.text, keep):
        yield done.add(f"\n{fallback}")


async def _sentences(model: Model, request: Request, done: Worded) -> AsyncGenerator[str]:
    """Whole sentences, without the space around them; of an answer that was cut, no last half one."""
    waiting, answer = "", None
    stream = model.stream(request)
    async for piece in stream:
        waiting, answer = waiting + piece.text, piece.answer or answer
        while (end := _END.search(waiting)) and end.end() < len(waiting):
            yield waiting[: end.end()].strip()
            waiting = waiting[end.end() :]
        if len(waiting) > 2 * MAX_SENTENCE:
            done.wrong = done.wrong or "it is too long"
            waiting = ""
    if isinstance(answer, Answer):
        done.usage.append(answer.usage)
        if answer.finish == "length" and not _END.search(waiting):
            return
    if waiting.strip():
        yield waiting.strip()


def honest(text: str, claims: Claims) -> str:
    """What may be shown of a whole text: its sentences up to the first that may not be said."""
    told: list[str] = []
    for sentence in (each.strip() for each in _split(text)):
        if sentence in told or claims.wrong(sentence) or len(told) == MAX_SENTENCES:
            break
        told.append(sentence)
    return " ".join(told)


def _split(text: str) -> list[str]:
    found, begin = list[str](), 0
    for end in _END.finditer(text):
        found.append(text[begin : end.end()])
        begin = end.end()
    return [each for each in (*found, text[begin:]) if each.strip()]
