"""The suite's own truth: every section that is said to answer a question exists and holds the answer's key words."""

from collections import Counter
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import re2

from agents.knowledge_agent.words import telling
from agents.worlds import Where, index_of, open_location
from evals.attempts import Attempt, Step
from evals.cases import Case
from evals.scoring import Checked
from evals.scoring.citations import Citations
from evals.scoring.pages import Pages
from evals.scoring.scorers import Text
from evals.suites import suite
from kb.search import SearchIndex

CASES = suite("knowledge").cases()
ANSWERED = [each for each in CASES if each.tags["answer"] == "yes"]


@cache
def _index(world: str) -> SearchIndex:
    return index_of(open_location(Where.of(world), None), None)


@cache
def _pages(world: str) -> Pages:
    return Pages(_index(world))


def test_there_are_questions_of_every_kind_and_none_twice() -> None:
    tags = Counter(tag for each in CASES for tag in each.tags.items())
    assert len(ANSWERED) >= 150
    assert tags["answer", "no"] >= 40
    assert tags["kind", "near-miss"] >= 20
    assert tags["hops", "2"] >= 20
    assert tags["wording", "few"] >= 40
    said = [(each.world, " ".join(each.turns[0].says.casefold().split())) for each in CASES]
    assert len(set(said)) == len(said)


def test_every_section_exists_and_holds_the_key_words_of_its_answer() -> None:
    for case in ANSWERED:
        expect = case.turns[0].expect
        wanted = expect.cites or expect.cites_any
        texts = [_pages(case.world).section(*each.split("#", 1)) for each in wanted]
        assert all(texts), f"{case.id}: one of {wanted} is not there"
        assert expect.says, case.id
        enough = any if expect.cites else all  # where one of several will do, each has it
        for pattern in expect.says:
            assert enough(re2.search(f"(?is){pattern}", text) for text in texts), f"{case.id}: {pattern}"


def test_the_tags_say_what_the_questions_are() -> None:
    for case in ANSWERED:
        expect, pages = case.turns[0].expect, _pages(case.world)
        assert case.tags["hops"] == str(len(expect.cites) or 1)
        cited = expect.cites or expect.cites_any
        there = set(pages.terms(" ".join([*cited, *(pages.section(*each.split("#", 1)) for each in cited)])))
        words = set(pages.terms(telling(case.turns[0].says)))
        assert (case.tags["wording"] == "few") == (3 * len(words & there) <= len(words)), case.id


def test_questions_without_an_answer_expect_that_this_is_said() -> None:
    for case in CASES:
        expect = case.turns[0].expect
        assert expect.declines is (case.tags["answer"] == "no")
        assert bool(expect.cites or expect.cites_any) is (case.tags["answer"] == "yes")


def test_every_question_is_solved_by_quoting_what_it_expects_and_none_by_quoting_something_else() -> None:
    for case in ANSWERED:
        expect, index = case.turns[0].expect, _index(case.world)
        cited, quoted = list[str](), list[str]()
        for wanted in expect.cites or expect.cites_any[:1]:
            page, _, heading = wanted.partition("#")
            sections = index.sections(page)
            assert sections is not None
            # A page's front matter stands under its title too, and is no section to quote.
            headed = (each for each in sections.parts if each.text.startswith("#"))
            part = next(each for each in headed if each.heading == (heading or each.heading))
            cited.append(f"{page}#{part.heading}:{part.line}")
            quoted.append(_pages(case.world).section(page, heading))
        checks = _checks(case, index, "\n\n".join(quoted), *cited)
        assert len(checks) >= 3
        assert not [f"{case.id}: {each.what}: {each.why}" for each in checks if not each.met]
        elsewhere = _checks(case, index, "# Eating", "shared/adventure/eat.md#Eating:4")
        assert not all(each.met for each in elsewhere), case.id


def test_a_question_without_an_answer_is_solved_by_saying_so_alone() -> None:
    for case in (each for each in CASES if each.tags["answer"] == "no"):
        assert all(each.met for each in _checks(case, _index(case.world), "The pages say nothing about this."))
        assert not all(each.met for each in _checks(case, _index(case.world), "Twelve coins."))


def _checks(case: Case, index: SearchIndex, answer: str, *citations: str) -> list[Checked]:
    """What citations and text come to; neither looks at states."""
    step = Step(case.turns[0].says, answer, "answered", citations=citations)
    attempt, at = (
        Attempt((step,), cast(Any, (None, None)), (1,)),
        cast(Any, SimpleNamespace(world=SimpleNamespace(index=index))),
    )
    return [*Citations().expectations(case, attempt, at), *Text().expectations(case, attempt, at)]
