"""Owns what an answer's citations are worth: whether they exist, point to the expected sections, and bear out what is said.

`Citations()` is a `Scorer`; `borne_out(sentence, evidence)` is the judgement that `evals/data/support.jsonl` measures. It compares
words by its own rules, which are not the knowledge agent's. It must not know who answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from agents.knowledge_agent.words import EMPTY, negated, numbers
from evals.attempts import Attempt, Step
from evals.cases import Case
from evals.environment import Environment
from evals.scoring import Checked
from evals.scoring.moments import Moment, moments
from evals.scoring.pages import END, Cited, Pages, groups

RECALL = 0.7
"""The share of a sentence's words that one line of the evidence, with what it stands under, must have."""
ORDER = 0.7
"""The share of those words that must stand there in the same order: "paper wraps rock" is not "rock wraps paper"."""
MOST, LONGEST = 200, 2_000
"""Sentences of an answer that are looked at, and characters of each."""
CHANCE = 4
"""Words of which the same stand in many lines."""
_DECLINES = re.compile(
    r"\b(?:pages?|rules|rulebook|books?|texts?|passages?|sections?)\b[^.!?\n]{0,30}\b(?:say|says|tell|tells|mention|mentions|contain|know|knows|"
    r"answer|answers|cover|covers|state|states)\b[^.!?\n]{0,12}\b(?:nothing|no|not)\b"
    r"|\b(?:pages?|rules|rulebook|books?|texts?|passages?|sections?)\b[^.!?\n]{0,30}\b(?:do|does) ?(?:not|n['’]t) (?:say|tell|mention|contain|know|answer|cover|"
    r"state|give|specify)"
    r"|\bno (?:page|rule|line|passage|section)s? (?:say|tell|mention|answer|cover|state|know)s?\b"
    r"|\b(?:nothing|not) (?:is )?(?:said|told|stated|mentioned|written|found|known)\b[^.!?\n]{0,30}\b(?:about|of|on|in the (?:pages|rules))"
    r"|\bfound nothing about\b|\bno page is about\b|\bno page answers\b"
    r"|\bI (?:do not|don['’]t|cannot|can['’]t|could not|couldn['’]t) (?:know|find|tell|say|answer)\b",
    re.IGNORECASE,
)
_SWEEPING = re.compile(
    r"\b(?:everybody|everyone|anybody|anyone|anywhere|everywhere|anything|everything|always|ever)\b", re.IGNORECASE
)
"""What says more than any one thing or person proves."""


def sentences(answer: str) -> list[str]:
    """What is said in an answer, piece by piece, without the lines that only cite; the first `MOST` pieces."""
    told = (group for group in groups(each for each in answer.split("\n") if Cited.of(each) is None))
    parts = (part.strip() for group in told for part in ([group] if group.startswith("|") else END.split(group)))
    return list(islice((part[:LONGEST] for part in parts if re.search(r"\w", part)), MOST))


def borne_out(sentence: str, evidence: Sequence[str], terms: Callable[[str], list[str]]) -> bool:
    """Whether lines say a sentence: word for word, or one of them with most of its words in the same order, with all of its numbers
    and all that it says of everybody or always, and denying where it denies."""
    if _quoted(sentence, evidence):
        return True
    wanted, denies = _words(sentence, terms), negated(sentence)
    must = {word for word in wanted if word.isdigit()} | set(_words(" ".join(_SWEEPING.findall(sentence)), terms))
    for unit in evidence:
        under, _, text = unit.partition("\0")
        there = _words(f"{under} {text}", terms)
        if not must <= set(there) or negated(text) != denies or not set(wanted) & set(_words(text, terms)):
            continue
        shared = [word for word in wanted if word in there]
        if len(shared) >= RECALL * len(wanted) and _common(shared, there) >= ORDER * len(shared):
            return True
    return False


def _words(text: str, terms: Callable[[str], list[str]]) -> list[str]:
    """The words that say something, without endings, numbers as digits."""
    found: list[str] = []
    for word in re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+", text.casefold()):
        if number := next(iter(numbers(word)), ""):
            found.append(number)
        elif word not in EMPTY:
            found += terms(word)
    return found


def _quoted(sentence: str, evidence: Sequence[str]) -> bool:
    """Whether it is a line's own words: all of them, or so many that they are no chance."""
    said = _plain(sentence)
    texts = (_plain(unit.partition("\0")[2]) for unit in evidence)
    return any(said == text or (said.count(" ") >= CHANCE and f" {said} " in f" {text} ") for text in texts)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, theirs in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if word == theirs else max(row[at], row[at - 1])
    return row[-1]


def declines(step: Step, evidence: Sequence[str] = ()) -> bool:
    """Whether an answer says that no page answers: in its own words, not those of the cited lines, or in the reason that comes with
    them."""
    own = [each for each in sentences(step.answer) if not _quoted(each, evidence)]
    return step.route == "help" or _DECLINES.search("\n".join((*own, step.reason))) is not None


class Citations:
    """Citations that exist and point where they should, sentences that they bear out, and answers that say there is none."""

    def expectations(self, case: Case, attempt: Attempt, at: Environment) -> list[Checked]:
        found: list[Checked] = []
        made = list(dict.fromkeys(each for step in attempt.steps for each in step.citations))
        pages = Pages(at.world.index) if made else None
        if pages is not None and (wrong := [why for each in made if (why := pages.wrong(each))]):
            found.append(Checked("citations", "every citation exists", False, "; ".join(wrong[:5])))
        for moment in moments(case, attempt):
            found += _cites(moment, pages)
            if moment.expect.declines is not None:
                met = (
                    any(declines(e, pages.cited(e.citations) if pages else ()) for e in moment.steps)
                    == moment.expect.declines
                )
                why = "" if met else f"it says {moment.answer[:300]!r}"
                found.append(Checked("declines", f"{moment.expect.declines} {moment.name}", met, why))
        return found

    def figures(self, case: Case, attempt: Attempt, at: Environment) -> dict[str, float]:
        """Counts, so that they add up over cases; `sentences` only those of answers that cite."""
        figures = {"citations": 0.0, "citations_exist": 0.0, "sentences": 0.0, "citations_support": 0.0}
        for step in (each for each in attempt.steps if each.citations):
            pages = Pages(at.world.index)
            told = sentences(step.answer)
            evidence = pages.cited(step.citations)
            figures["citations"] += len(step.citations)
            figures["citations_exist"] += sum(not pages.wrong(each) for each in step.citations)
            figures["sentences"] += len(told)
            figures["citations_support"] += sum(borne_out(each, evidence, pages.terms) for each in told)
        return figures if figures["citations"] else {}


def _cites(moment: Moment, pages: Pages | None) -> Iterator[Checked]:
    made = [each for step in moment.steps for each in step.citations]
    lines = tuple(made)

    def met(wanted: str) -> bool:
        return pages is not None and any(pages.meets(each, wanted) for each in made)

    why = f"it cites {', '.join(made[:5]) or 'nothing'}"
    for wanted in moment.expect.cites:
        yield Checked("cites", f"{wanted} {moment.name}", met(wanted), "" if met(wanted) else why, lines)
    if moment.expect.cites_any:
        any_met = any(map(met, moment.expect.cites_any))
        what = " or ".join(moment.expect.cites_any)
        yield Checked("cites", f"{what} {moment.name}", any_met, "" if any_met else why, lines)
