"""Owns what needs no model: the referee's word on an action, tried without doing it, and the sections that search finds.

`decided(game, text, now)` and `quoted(pages, hits)`. Both give lines that exist. It must not know models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from agents.citations import Citation
from agents.game import Game
from agents.knowledge_agent.findings import Finding, Verdict
from agents.knowledge_agent.passages import Limits, choose, plain
from agents.knowledge_agent.support import Support
from kb.referee import Inputs, Outcome
from kb.search import Hit, SearchIndex

QUOTED, CHARACTERS, LOOKED_AT = 3, 600, 10
"""Sections of an answer without a model, how much of each, and among how many they are chosen."""
_EXACT = re.compile(
    "always|derived|examples|invariants|judgement|knows|otherwise|rules|state|takes|then|unless|voice|when",
    re.IGNORECASE,
)
"""Headings of what is written for the referee (or a model): to a reader it says little, and it gives puzzles away."""


def decided(game: Game, text: str, now: datetime | None = None) -> Finding | None:
    """Whether the rules allow an action in a game; None where they do not understand it as one.

    Nothing is done, and what it would lead to is not told: only which lines allow or refuse it.
    """
    world, session = game.world, game.world.session
    inputs = Inputs(now or game.state.rows["world"]["time"])
    said = session.say(game.state, game.player, text, game.dialogue, inputs)
    # An action without a type answers a question of a workflow, which any words may.
    if not said.understood or not said.outcomes or not all(action.type for action in said.actions):
        return None
    refused = next((outcome for outcome in said.outcomes if outcome.status == "refused"), None)
    verdict: Verdict = "valid" if refused is None else "invalid"
    lines = dict.fromkeys(each for outcome in ([refused] if refused else said.outcomes) for each in _lines(outcome))
    cited = [citation for path, line in lines if (citation := cite(world.index, path, line))]
    answer = f"No: {refused.text or refused.reason}" if refused else "Yes, the rules allow it."
    reason = "the referee tried it without doing it"
    if any(outcome.asked for outcome in said.outcomes):
        reason += "; what a model would judge was taken as its fallback"
    return Finding(answer, tuple(cited), "rules", reason, verdict)


def _lines(outcome: Outcome) -> Iterator[tuple[str, int]]:
    """Where it was decided: the condition that refused, or the rule that allowed it with its conditions."""
    by_reason = [each for each in outcome.trace if outcome.reason and each.text == outcome.reason]
    rules = [each for each in outcome.trace if each.kind == "rule"]
    if outcome.status == "refused":
        chosen = by_reason[:1] or rules[-1:] or list(outcome.trace[-1:])
    else:
        own = rules[0].span.path if rules else ""
        held = (each for each in outcome.trace if each.span.path == own and each.kind in ("condition", "unless", "row"))
        chosen = [*rules[:1], *held]
    for each in chosen:
        yield each.span.path, each.span.line


def cite(pages: SearchIndex, path: str, line: int) -> Citation | None:
    """The citation of a line; None where there is no such line."""
    sections = pages.sections(path)
    heading = sections.heading(line) if sections and sections.path == path else None
    return None if heading is None else Citation(path, heading, line, pages.commit)


def stated(pages: SearchIndex, statement: str, limits: Limits) -> Finding:
    """Whether a line says a statement, word for word; else the sections that may settle it."""
    chosen = choose(pages, statement, limits)
    if lines := Support(pages.terms, chosen.passages).says(statement):
        return Finding(
            f"The pages say so: {statement.strip()}", lines, "rules", "a line says it word for word", "valid"
        )
    found = quoted(pages, chosen.hits, "no model is configured: the sections that fit best")
    return replace(found, verdict="unclear")


def quoted(pages: SearchIndex, hits: Sequence[Hit], reason: str) -> Finding:
    """The best sections in their own words, exact ones only where no prose fits; without any, an answer that says so."""
    found = [(hit, _text(pages, hit)) for hit in hits[:LOOKED_AT]]
    prose = [(hit, text) for hit, text in found if not _EXACT.fullmatch(hit.heading) and "\n" in text]
    told = (prose or found)[:QUOTED]
    if not told:
        return Finding("The pages say nothing about this.", (), "rules", reason)
    cited = tuple(Citation(hit.path, hit.heading, hit.line, hit.commit) for hit, _ in told)
    return Finding("\n\n".join(text for _, text in told), cited, "rules", reason)


def _text(pages: SearchIndex, hit: Hit) -> str:
    section = pages.read(hit.path, first=hit.line, section=hit.heading, characters=CHARACTERS)
    return plain(section.text if section and section.text else hit.snippet).strip()
