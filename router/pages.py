"""Owns answers from pages without a scholar: the sections that fit, quoted; or a model that reads what a search finds, twice at most.

`quoted(question, world)`, `await read(…)`. It must not know routes.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from agents.citations import Citation
from agents.models import Answer, Marked, Message, Model, ModelError, Request, ToolCall
from agents.worlds import World
from kb.search import Hit
from router.route import knowledge
from router.seams import Words
from router.tools import READ, SEARCH
from router.trail import Trail

SECTION = 1_500
"""Characters of a section that are shown."""
HITS = 5
ROUNDS = 2
"""Calls after the first."""
_NUMBER = re.compile(r"\s*\[(\d{1,2})\]")


async def quoted(question: str, world: World) -> Words | None:
    """The sections that answer a question, word for word; None where no page has its words."""

    def look() -> list[tuple[Hit, str]]:
        hits = knowledge(question, world.index).citations
        return [(hit, _text(world, hit)) for hit in hits]

    found = await asyncio.to_thread(look)  # the first search of a world indexes it
    if not found:
        return None
    return Words("\n\n".join(f"{hit.citation}\n{text}" for hit, text in found), tuple(cited(hit) for hit, _ in found))


async def read(
    model: Model, request: Request, answer: Answer, world: World, trail: Trail, deadline: float
) -> Words | None:
    """What the model makes of what it looks up; None where it fails or cites nothing that it was shown."""
    shown: list[Citation] = []
    messages = request.messages
    for number in range(ROUNDS):
        calls = [each for each in answer.calls if each.name in (SEARCH, READ)][:3]
        if not calls:
            break
        results = [Message("tool", await _look(world, call, shown), call_id=call.id) for call in calls]
        messages = (*messages, Message("assistant", "", tuple(calls)), *results)
        last = number == ROUNDS - 1
        tools = () if last else tuple(each for each in request.tools if each.name in (SEARCH, READ))
        asked = replace(request, messages=messages, purpose="synthesise", tools=tools, deadline=deadline)
        try:
            answer = await model.chat(asked)
        except ModelError as error:
            trail.failed(error, "synthesise")
            return None
        trail.answered(answer, "synthesise")
    named = {int(each) for each in _NUMBER.findall(answer.text)}
    cited_ = [each for at, each in enumerate(shown, 1) if at in named] or shown[:1]
    text = _NUMBER.sub("", answer.text).strip()
    return Words(text, tuple(dict.fromkeys(cited_))) if text and cited_ and not answer.calls else None


async def _look(world: World, call: ToolCall, shown: list[Citation]) -> str:
    """What a search or a page gives, as data; each section with the number to cite it by."""
    wanted = str(next(iter(call.arguments.values()), ""))[:300]

    def look() -> list[tuple[Citation, str]]:
        if call.name == READ:
            part = world.index.read(wanted, characters=2 * SECTION)
            if part is None or part.path in _tests(world):
                return []
            return [(Citation(part.path, part.title, part.first, part.commit[:12]), part.text)]
        hits = [hit for hit in world.index.search(wanted, 3 * HITS) if hit.kind != "scenario"][:HITS]
        return [(cited(hit), _text(world, hit)) for hit in hits]

    found = await asyncio.to_thread(look)
    parts: list[str] = []
    for citation, text in found:
        shown.append(citation)
        parts.append(f"[{len(shown)}]\n{Marked(text, str(citation))}")
    told = "\n".join(parts) or "Nothing was found."
    return f"{told}\nAnswer from this alone, and name the numbers that you used, like [1]."


def _tests(world: World) -> set[str]:
    """Pages that give a world's solution away."""
    return {each.span.path for each in world.rulebook.scenarios}


def _text(world: World, hit: Hit) -> str:
    part = world.index.read(hit.path, first=hit.line, characters=SECTION)
    return part.text if part else hit.snippet


def cited(hit: Hit) -> Citation:
    """A hit's lines."""
    return Citation(hit.path, hit.heading, hit.line, hit.commit[:12])
